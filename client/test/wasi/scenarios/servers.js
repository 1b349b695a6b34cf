// Guests that listen: on a listener they inherited, and on one they open.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { talk } from "../talk.js";

const execute = promisify(execFile);

export const servers = {
  "Go: net/http answers 50 curls at once": async ({ serve }) => {
    const server = await serve("go-http-server", [], { listen: [{ host: "127.0.0.1", port: 0 }] });
    const url = `http://127.0.0.1:${server.port}`;
    const { stdout } = await execute("curl", [
      "--silent", "--show-error", "--fail", "--max-time", "60", "--parallel", "--parallel-immediate", "--parallel-max", "50", "--user-agent", "fifty", `${url}/[1-50]`,
    ]);
    const lines = stdout.trim().split("\n").sort();
    assert.deepEqual(lines, Array.from({ length: 50 }, (_, i) => `hello from /${i + 1}, fifty`).sort());
    assert.equal((await execute("curl", ["--silent", `${url}/quit`])).stdout, "bye\n");
    assert.equal((await server.ended).exitCode, 0);
  },

  "Rust: a stock TcpListener": async ({ serve }) => {
    const server = await serve("rust-tcp-server", ["2"], { listen: [{ host: "127.0.0.1", port: 0 }] });
    assert.equal(await talk(server.port, "one\ntwo\n"), "ONE\nTWO\n");
    assert.equal(await talk(server.port, "three\n"), "THREE\n");
    assert.deepEqual(await server.ended.then(({ exitCode, stderr }) => [exitCode, stderr]), [0, ""]);
  },

  "C: a listener that was given, many clients at once": async ({ serve }) => {
    const server = await serve("echo-server", ["20"], { listen: [{ port: 0 }] });
    const texts = Array.from({ length: 20 }, (_, i) => `client ${i} `.repeat(1000));
    assert.deepEqual(await Promise.all(texts.map((text) => talk(server.port, text))), texts);
    assert.equal((await server.ended).exitCode, 0);
  },

  "C: a listener of its own": async ({ start, peers }) => {
    const port = await peers.freePort();
    const program = start("echo-server", ["127.0.0.1", String(port), "1"]);
    await program.said(/listening on/);
    assert.equal(await talk(port, "hello"), "hello");
    assert.equal((await program.ended).stdout, `listening on ${port}\n`);
  },

  "C: the extension's first form, client and server": async ({ start, peers }) => {
    const port = await peers.freePort();
    const program = start("first-form", [String(peers.echo.port), String(port)]);
    await program.said(/listening on/);
    assert.equal(await talk(port, "hello"), "hello");
    assert.equal((await program.ended).stdout, `peer 127.0.0.1 family 4 same port\nfirst form\nlistening on ${port}\n`);
  },

  "C: the extension's second form by its own names, client and server": async ({ start, peers }) => {
    const port = await peers.freePort();
    const program = start("second-form", [String(peers.echo.port), String(port)]);
    await program.said(/listening/);
    assert.equal(await talk(port, "hello"), "hello");
    assert.equal((await program.ended).stdout, "peer 1 127.0.0.1 same port\nsecond form\nsecond form from 127.0.0.1 myself\nlistening\n");
  },

  "C: an address in use": async ({ run, peers }) => {
    const result = await run("echo-server", ["127.0.0.1", String(peers.echo.port)]);
    assert.deepEqual([result.exitCode, result.stderr.includes("errno 3)")], [1, true], result.stderr);
  },
};

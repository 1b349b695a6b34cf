// C programs of wasip2: their libc turns POSIX's calls into wasi:sockets 0.2. One strategy: jco's glue waits by JSPI.

import assert from "node:assert/strict";
import { hex, patternChecksum } from "../bulk-peer.js";
import { talk } from "../talk.js";

const MiB = 1024 * 1024;

const scenario = (body) => async (tools) => {
  const { session, peers, mode } = tools;
  if (mode.strategy !== "jspi") return;
  const run = (guest, args, tell) => session.call("wasip2", { guest, args: args.map(String), url: peers.node.url }, tell);
  await body({ ...tools, run });
};

export const wasip2 = {
  "wasip2: a name is looked up, a client connects and speaks": scenario(async ({ run, peers }) => {
    const result = await run("redis-ping", ["localhost", peers.redis.port, "PING"]);
    assert.deepEqual([result.exitCode, result.output], [0, "+PONG\r\n"]);
    const unknown = await run("redis-ping", ["no-such-name.invalid", 1, "PING"]);
    assert.equal(unknown.exitCode, 1, unknown.output);
  }),

  "wasip2: a refused connection": scenario(async ({ run, peers }) => {
    const result = await run("redis-ping", ["127.0.0.1", peers.refusedPort, "PING"]);
    assert.deepEqual([result.exitCode, result.output], [1, "connect: Connection refused (errno 14)\n"]);
  }),

  "wasip2: half-close, over IPv6 too": scenario(async ({ run, peers }) => {
    assert.equal((await run("half-close", ["127.0.0.1", peers.echo.port, "said before the end"])).output, "said before the end|end\n");
    assert.equal((await run("half-close", ["::1", peers.echo6.port, "six"])).output, "six|end\n");
  }),

  "wasip2: 8 MiB down and up, with a checksum": scenario(async ({ run, peers }) => {
    const size = 8 * MiB;
    const sum = hex(patternChecksum(size));
    assert.equal((await run("transfer", ["get", "127.0.0.1", peers.bulk.port, size])).output, `${size} ${sum}\n`);
    assert.equal((await run("transfer", ["put", "127.0.0.1", peers.bulk.port, size])).output, `${sum} ${sum} ${size}\n`);
  }),

  "wasip2: a server of 20 clients at once, with poll": scenario(async ({ run, peers }) => {
    const port = await peers.freePort();
    let says;
    const listens = new Promise((resolve) => { says = resolve; });
    const ended = run("echo-server", ["127.0.0.1", port, 20], ({ text }) => says(text));
    assert.equal(await Promise.race([listens, ended.then(({ output }) => output)]), `listening on ${port}\n`);
    const texts = Array.from({ length: 20 }, (_, i) => `client ${i} `.repeat(1000));
    assert.deepEqual(await Promise.all(texts.map((text) => talk(port, text))), texts);
    const { exitCode, open } = await ended;
    assert.equal(exitCode, 0);
    // Only the listener is left, which the program does not close.
    assert.deepEqual([...new Set(open)].sort(), ["Network", "Pollable", "TcpSocket"]);
    assert.equal(open.filter((name) => name === "TcpSocket").length, 1);
  }),

  "wasip2: an address in use": scenario(async ({ run, peers }) => {
    const result = await run("echo-server", ["127.0.0.1", peers.echo.port, 1]);
    assert.deepEqual([result.exitCode, result.output], [1, "bind: Address in use (errno 3)\n"]);
  }),

  "wasip2: UDP, a DNS query": scenario(async ({ run, peers }) => {
    const result = await run("dns-query", ["127.0.0.1", peers.dns.port, "web.test"]);
    assert.deepEqual([result.exitCode, result.output], [0, `from 127.0.0.1:${peers.dns.port}\nweb.test 192.0.2.7\n`]);
  }),
};

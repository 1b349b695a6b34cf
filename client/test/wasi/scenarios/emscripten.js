// Programs that emcc built from plain BSD sockets: in the page by ASYNCIFY, and with threads where the page is isolated.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { startNode, startTcp } from "../peers.js";
import { hex, patternChecksum } from "../bulk-peer.js";

const MiB = 1024 * 1024;

/** A scenario with `emcc(args, options)`, which runs transfer.c, and `start`, which returns its { ended, said }. */
const scenario = (body) => (tools) => {
  const { session, peers, mode } = tools;
  const program = mode.isolated ? "emscripten-threads" : "emscripten-transfer";
  const start = (args, options = {}) => {
    let says;
    const said = new Promise((resolve) => { says = resolve; });
    const params = { program, args: args.map(String), url: peers.node.url, ...options };
    return { said, ended: session.call("emscripten", params, says) };
  };
  return body({ ...tools, start, emcc: (args, options) => start(args, options).ended });
};

export const emscripten = {
  "Emscripten: 8 MiB down to the end of file, and 8 MiB each way at once": scenario(async ({ emcc, peers }) => {
    const size = 8 * MiB;
    const sum = hex(patternChecksum(size));
    const down = await emcc(["get", "127.0.0.1", peers.bulk.port, size]);
    assert.deepEqual(down, { exitCode: 0, stdout: `${size} ${sum}\n`, stderr: "" });
    const both = await emcc(["echo", "127.0.0.1", peers.echo.port, size]);
    assert.deepEqual(both, { exitCode: 0, stdout: `${size} ${sum} ${size} ${sum}\n`, stderr: "" });
  }),

  "Emscripten: an IPv6 target": scenario(async ({ emcc, peers }) => {
    const result = await emcc(["echo", "::1", peers.echo6.port, 1000]);
    assert.deepEqual([result.exitCode, result.stdout.split(" ")[2], result.stderr], [0, "1000", ""]);
  }),

  "Emscripten: a refused connection is ECONNREFUSED": scenario(async ({ emcc, peers }) => {
    const result = await emcc(["get", "127.0.0.1", peers.refusedPort, 1]);
    assert.deepEqual(result, { exitCode: 1, stdout: "", stderr: "connect: Connection refused (errno 14)\n" });
  }),

  "Emscripten: the node decides by the name that the program asked for": scenario(async ({ emcc, peers }) => {
    const node = await startNode({
      policy: `[network]\ndeny = ["*"]\nallow = ["bulk.test:${peers.bulk.port}"]\n`, hosts: "127.0.0.1 bulk.test\n",
    });
    try {
      const by = (host) => emcc(["get", host, peers.bulk.port, 10], { url: node.url });
      assert.deepEqual(await by("bulk.test"), { exitCode: 0, stdout: `10 ${hex(patternChecksum(10))}\n`, stderr: "" });
      // SOCKFS has no other error.
      assert.equal((await by("127.0.0.1")).stderr, "connect: Connection refused (errno 14)\n");
    } finally {
      await node.end();
    }
  }),

  "Emscripten: a program that does not read holds its sender back": scenario(async ({ start, peers, note }) => {
    const size = 64 * MiB;
    let go;
    const control = await startTcp((socket) => { go = () => socket.write("!"); });
    const { sent } = peers.bulk;
    try {
      const program = start(["stall", "127.0.0.1", peers.bulk.port, size, control.port]);
      assert.deepEqual(await program.said, { type: "output", text: "stalled" });
      for (let last = -1; last !== peers.bulk.sent;) {
        last = peers.bulk.sent;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      const inFlight = peers.bulk.sent - sent;
      note(`not read: ${(inFlight / MiB).toFixed(1)} MiB on its way of 64`);
      assert.ok(inFlight < 24 * MiB, `${inFlight} bytes left the server`);
      go();
      const result = await program.ended;
      assert.deepEqual(result, { exitCode: 0, stdout: `stalled\n${size} ${hex(patternChecksum(size))}\n`, stderr: "" });
    } finally {
      await control.end();
    }
  }),

  "Emscripten: a program that sends without pause is told EAGAIN, with sendBuffer": scenario(async ({ emcc, peers }) => {
    const size = 64 * MiB;
    const limited = await emcc(["burst", "127.0.0.1", peers.echo.port, size], { sendBuffer: MiB });
    const [sent, rest] = limited.stdout.split("\n");
    assert.ok(Number(sent) >= MiB && Number(sent) < 16 * MiB, `${sent} bytes before EAGAIN`);
    assert.equal(rest, `${sent} and more`, limited.stderr);
  }),

  "Emscripten: datagrams, to the destinations that are said to be UDP": scenario(async ({ emcc }) => {
    const peer = createSocket("udp4", (message, from) => peer.send(`echo of ${message}`, from.port, from.address));
    peer.bind(0, "127.0.0.1");
    await once(peer, "listening");
    const { port } = peer.address();
    try {
      const result = await emcc(["datagram", "127.0.0.1", port, "hello"], { udp: port });
      assert.deepEqual(result, { exitCode: 0, stdout: "echo of hello\n", stderr: "" });
    } finally {
      peer.close();
    }
  }),

  "Emscripten: a main loop with select, two sockets to Redis, as a plain script in a Worker": async ({ session, peers, mode }) => {
    const args = ["localhost", String(peers.redis.port), `loop-${mode.strategy}`, "turns"];
    const result = await session.call("emscriptenInWorker", { program: "emscripten-loop", args, url: peers.node.url });
    assert.deepEqual(result, { exitCode: 0, stdout: "+PONG\r\n+OK\r\n$5\r\nturns\r\n$6\r\nsecond\r\n", stderr: "" });
  },
};

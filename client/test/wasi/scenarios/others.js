// Another shim under the bridge, the README's programs, a program's signal, Emscripten's WebSocket. What has one strategy runs where the guests' is JSPI.

import assert from "node:assert/strict";
import { hex, patternChecksum } from "../bulk-peer.js";

const once = (scenario) => async (tools) => {
  if (tools.mode.strategy === "jspi") await scenario(tools);
};

export const others = {
  "another WASI shim under the bridge": async ({ session, peers, mode }) => {
    const on = (guest, ...args) => session.call("onForeignShim", { guest, args: [guest, ...args], url: peers.node.url, strategy: mode.strategy });
    assert.deepEqual(await on("redis-ping", "localhost", String(peers.redis.port), "PING"), { exitCode: 0, output: "+PONG\r\n" });
    assert.deepEqual(await on("socket-rules", "127.0.0.1", String(peers.echo.port), String(peers.refusedPort)), { exitCode: 0, output: "ok\n" });
    // WasmEdge's names for the second form work over another shim too.
    assert.match((await on("second-form", String(peers.refusedPort), "0")).output, /^connect: errno 14\n$/);
    await assert.rejects(on("go-http-server"), /MissingImports: .*wasi_snapshot_preview1\.random_get/);
  },

  "the README's programs": async ({ session, peers, mode }) => {
    if (mode.strategy === "sab") {
      const lent = await session.call("readmeLending", { url: peers.node.url, redis: peers.redis.port });
      return assert.deepEqual(lent, { exitCode: 0, output: "+PONG\r\n" });
    }
    const seen = await session.call("readme", { url: peers.node.url, redis: peers.redis.port, bulk: peers.bulk.port });
    assert.deepEqual(seen, { first: { exitCode: 0, stdout: "PONG\n" }, inBundle: "PONG\n", second: "+PONG\r\n", third: `1000 ${hex(patternChecksum(1000))}` });
    return undefined;
  },

  "a program is ended by its signal": async ({ start, peers }) => {
    const before = peers.bulk.accepted;
    const program = start("ping-pong", ["127.0.0.1", String(peers.bulk.port), "1"]);
    while (peers.bulk.accepted === before) await new Promise((resolve) => setTimeout(resolve, 20));
    await program.abort();
    await assert.rejects(program.ended, /aborted by the test/);
    while (peers.bulk.connections > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  },

  "Emscripten: SOCKFS's WebSocket is a socket": once(async ({ session, peers }) => {
    const echoed = await session.call("sockfs", { url: peers.node.url, port: peers.echo.port, text: "sockfs speaks" });
    assert.deepEqual(echoed, { received: "sockfs speaks", code: 1000, reason: "client_closed", state: 3, isNativeOtherwise: true });
    const refused = await session.call("sockfs", { url: peers.node.url, port: peers.refusedPort, text: "x" });
    assert.deepEqual([refused.code, refused.reason], [1006, "refused"]);
  }),
};

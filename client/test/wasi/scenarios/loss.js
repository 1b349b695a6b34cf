// The node is killed in the middle of everything.

import assert from "node:assert/strict";
import { startNode } from "../peers.js";

const MiB = 1024 * 1024;

export const loss = {
  "a killed node ends every pending call with an errno, and the client goes to another": async ({ start, run, session, peers }) => {
    const first = await startNode({ port: await peers.freePort() });
    let second = null;
    try {
      let reconnected;
      const again = new Promise((resolve) => { reconnected = resolve; });
      await session.call("openClient", { name: "lost", url: first.url }, ({ type, isReconnect }) => {
        if (type === "connected" && isReconnect) reconnected();
      });
      const lost = { url: undefined, client: "lost" };
      const { sent, accepted } = peers.bulk;
      const programs = {
        receiving: start("transfer", ["get", "127.0.0.1", String(peers.bulk.port), String(4096 * MiB)], lost),
        sending: start("transfer", ["put", "127.0.0.1", String(peers.bulk.port), String(4095 * MiB)], lost),
        // No newline is sent here, so the peer never answers.
        waiting: start("ping-pong", ["127.0.0.1", String(peers.bulk.port), "1"], lost),
        accepting: start("echo-server", ["1"], { ...lost, listen: [{ port: 0 }] }),
      };
      await programs.accepting.listening();
      while (peers.bulk.sent - sent < 8 * MiB || peers.bulk.accepted - accepted < 3) await new Promise((resolve) => setTimeout(resolve, 20));
      await first.end("SIGKILL");

      const ends = await Promise.all(Object.values(programs).map(({ ended }) => ended));
      assert.deepEqual(ends.map(({ exitCode }) => exitCode), [1, 1, 1, 1]);
      const [receiving, sending, waiting, accepting] = ends.map(({ stderr }) => stderr);
      assert.match(receiving, /recv: .*\(errno 15\)/);
      assert.match(sending, /send: .*\(errno 15\)/);
      assert.match(waiting, /recv: .*\(errno 15\)/);
      assert.match(accepting, /accept: .*\(errno 38\)/);

      second = await startNode({ port: first.port });
      await again;
      const ping = await run("redis-ping", ["127.0.0.1", String(peers.redis.port), "PING"], lost);
      assert.deepEqual([ping.exitCode, ping.stdout], [0, "+PONG\r\n"], ping.stderr);
      await session.call("closeClient", { name: "lost" });
    } finally {
      await first.end();
      await second?.end();
    }
  },
};

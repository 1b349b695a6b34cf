// A program's output, callbacks that throw, and the sources from which a program is loaded.

import assert from "node:assert/strict";
import { hex, patternChecksum } from "../bulk-peer.js";
import { startNode } from "../peers.js";
import { talk } from "../talk.js";

const MiB = 1024 * 1024;
const size = 32 * MiB;

async function held({ session, peers, mode, note }, options) {
  let given = 0;
  const params = { count: size, url: peers.node.url, strategy: mode.strategy, ...options };
  const ended = session.call("heldOutput", params, (event) => { given = event.given; });
  for (let last = -1; last !== given || given === 0;) {
    last = given;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  note(`not taken: ${Math.round(given / 1024)} KiB of ${size / MiB} MiB printed`);
  assert.ok(given <= 256 * 1024, `${given} bytes were given to a stdout that takes none`);
  await session.call("releaseOutput", {});
  assert.deepEqual(await ended, { exitCode: 0, stderr: "done\n", given: size, hash: hex(patternChecksum(size)) });
}

export const output = {
  "a program that prints waits for a stdout that takes nothing": (tools) => held(tools, {}),

  "a program that prints waits for a stream that is full": (tools) => held(tools, { asStream: true }),

  "a program in the page's own thread waits as well": async (tools) => {
    if (tools.mode.strategy === "jspi") await held(tools, { inPage: true });
  },

  "callbacks that throw are reported once a call, and the program goes on": async ({ session, peers, mode }) => {
    const { port: redis } = peers.redis;
    const node = await startNode({
      policy: `[network]\nallow = ["127.0.0.1:${redis}"]\ndeny = ["*"]\nbind_ports = "1024-65535"\nbind_addresses = ["127.0.0.1"]\n`,
    });
    try {
      for (const how of [{}, { isShared: true }, { rejects: true }]) {
        const failing = (guest, args, options, ontold) => session.call("throwingCallbacks", { guest, args, url: node.url, strategy: mode.strategy, ...options, ...how }, ontold);
        const is = ({ exitCode, calls, reported }, ...expected) => {
          assert.deepEqual([exitCode, [...new Set(calls)]], expected);
          assert.deepEqual(reported.toSorted(), calls.toSorted());
        };
        is(await failing("redis-ping", ["127.0.0.1", String(redis), "PING"]), 0, ["stdout"]);
        is(await failing("redis-ping", ["127.0.0.1", "1", "PING"]), 1, ["onrefused", "stderr"]);
        let answer;
        const server = await failing("echo-server", ["1"], { listen: [{ port: 0 }] }, ({ port }) => { answer = talk(port, "hello"); });
        assert.equal(await answer, "hello");
        is(server, 0, ["onlisten"]);
      }
    } finally {
      await node.end();
    }
  },

  "a program out of another frame's buffer, module, response and stream": async ({ session, peers, mode }) => {
    const seen = await session.call("fromFrame", { url: peers.node.url, redis: String(peers.redis.port), strategy: mode.strategy });
    const pong = "+PONG\r\n";
    assert.deepEqual(seen, { buffer: pong, view: pong, module: pong, response: pong, streamed: pong });
  },
};

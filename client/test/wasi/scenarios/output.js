// A program's output, and the sources from which it is loaded.

import assert from "node:assert/strict";
import { hex, patternChecksum } from "../bulk-peer.js";

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

  "a program out of another frame's buffer, module, response and stream": async ({ session, peers, mode }) => {
    const seen = await session.call("fromFrame", { url: peers.node.url, redis: String(peers.redis.port), strategy: mode.strategy });
    const pong = "+PONG\r\n";
    assert.deepEqual(seen, { buffer: pong, view: pong, module: pong, response: pong, streamed: pong });
  },
};

// Messages are assembled in one buffer if the WebSocket copies, and not otherwise.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { BinaryCodec } from "../lib/codec-binary.js";
import { connectClient, startNode, startTarget } from "./support.js";
import { WebSocket } from "./ws.js";

test("a WebSocket that keeps what it is given, and sends it later, sends what it was given", { timeout: 20000 }, async (t) => {
  class Late extends WebSocket {
    send(message) { setImmediate(() => super.send(message)); }
  }
  const node = await startNode(t);
  const parts = [];
  const target = await startTarget(t, (socket) => socket.on("data", (data) => parts.push(data)).on("end", () => socket.end()));
  const client = connectClient(t, node.url, { WebSocket: Late });
  const { writable, closed } = client.open({ hostname: "127.0.0.1", port: target.port });
  const sent = Buffer.alloc(200 << 10);
  for (let i = 0; i < sent.length; i++) sent[i] = i * 7 >> 3;
  const writer = writable.getWriter();
  const connection = await target.connection();
  for (let at = 0; at < sent.length; at += 10000) await writer.write(sent.subarray(at, at + 10000));
  const ended = once(connection, "end");
  await writer.close();
  await ended;
  await closed;
  assert.ok(Buffer.concat(parts).equals(sent));
});

test("what waits to be sent is a copy, in what was used before, and arrives as it was given", { timeout: 20000 }, async (t) => {
  const node = await startNode(t);
  const parts = [];
  let expected = 0;
  let arrived;
  const target = await startTarget(t, (socket) => socket.on("data", (data) => {
    parts.push(data);
    if (Buffer.concat(parts).length === expected) arrived();
  }));
  for (const options of [{}, { protocol: "v1" }]) {
    const client = connectClient(t, node.url, options);
    const id = await client.connect("127.0.0.1", target.port);
    const given = [];
    const chunk = Buffer.alloc(50000);
    parts.length = expected = 0;
    // Consecutive rounds: the second's copies overwrite the first's.
    for (let round = 0; round < 3; round++) {
      const all = new Promise((resolve) => { arrived = resolve; });
      for (let i = 0; i < 30; i++) {
        const length = i % 5 ? 50000 : 20000 + i;
        chunk.fill(round * 30 + i);
        client.send(id, chunk.subarray(0, length));
        given.push(Buffer.alloc(length, round * 30 + i));
        expected += length;
      }
      assert.ok(client.sockets.get(id).queued > 0);
      await all;
    }
    assert.ok(Buffer.concat(parts).equals(Buffer.concat(given)));
    client.disconnect();
  }
});

test("a codec whose messages are copied makes its data messages in one buffer", () => {
  const codec = new BinaryCodec(2, true);
  const [first, second] = [new Uint8Array(1000).fill(1), new Uint8Array(10).fill(2)];
  const one = codec.send(5, first);
  assert.deepEqual([one.length, one[8], one[9]], [1009, 5, 1]);
  const two = codec.send(6, second);
  assert.equal(two.buffer, one.buffer);
  assert.deepEqual([...two], [4, 0, 0, 0, 0, 0, 0, 0, 6, ...second]);
});

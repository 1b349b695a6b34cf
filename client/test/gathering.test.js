// Data behind unsent data is gathered into larger messages, if the WebSocket copies: each message is expensive for a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, connected, fake, opening, settle } from "./fake-node.js";
import { connectClient } from "./support.js";
import { WebSocket } from "./ws.js";

const LIMIT = { timeout: 20000 };
const KIB = 1024;
const PIECE = 64 * KIB;

/** Like a browser's own: it copies, and its `send` has no source. `unsent` is its reported amount of waiting data. */
class Copying extends WebSocket {
  unsent = 0;
  send = ((message) => super.send(Uint8Array.from(message))).bind(null);
  get bufferedAmount() { return this.unsent; }
}

/** A client with this many streams, whose WebSocket reports one unsent piece. */
async function session(t, { hello = HELLO, streams = 1 } = {}) {
  const node = await fake(t, { hello: { ...hello, window: 1 << 20 } });
  const client = connectClient(t, node.url, { WebSocket: Copying });
  await client.ready();
  const [peer] = node.peers;
  const connections = [];
  for (let i = 0; i < streams; i++) {
    const connection = client.open({ hostname: "a", port: 1 });
    connected(peer, (await opening(peer)).id);
    await connection.opened;
    connections.push({ connection, writer: connection.writable.getWriter() });
  }
  await settle(client, peer);
  client.ws.unsent = PIECE;
  const sent = () => peer.requests.filter(({ type }) => type === 0x04);
  return { client, peer, connections, sent, sizes: () => sent().map(({ payload }) => payload.length) };
}

test("pieces that are written one after the other go out as one message, in order", LIMIT, async (t) => {
  const { client, peer, connections: [{ writer }], sent, sizes } = await session(t);
  const piece = Buffer.alloc(PIECE);
  const given = [];
  for (let i = 0; i < 6; i++) {
    // The program can reuse its buffer.
    await writer.write(piece.fill(i));
    given.push(Buffer.from(piece));
  }
  await settle(client, peer);
  assert.deepEqual(sizes(), [3 * PIECE, 3 * PIECE]);
  assert.ok(Buffer.concat(sent().map(({ payload }) => payload)).equals(Buffer.concat(given)));
  await writer.write(Buffer.alloc(6 * PIECE));
  await settle(client, peer);
  assert.deepEqual(sizes().slice(2), [3 * PIECE, 3 * PIECE]);
});

test("what is sent by number in one go is gathered too, and soon goes out without more", LIMIT, async (t) => {
  const { client, peer, sizes } = await session(t);
  const call = client.connect("a", 1);
  connected(peer, (await opening(peer)).id);
  const id = await call;
  for (let i = 0; i < 3; i++) client.send(id, new Uint8Array(1000));
  await Promise.resolve();
  client.send(id, new Uint8Array(10));
  await settle(client, peer);
  assert.deepEqual(sizes(), [3010]);
});

test("nothing waits behind less than a piece", LIMIT, async (t) => {
  const { client, peer, connections: [{ connection, writer }], sizes } = await session(t);
  client.ws.unsent = PIECE - 1;
  let before = 0;
  t.mock.method(client.ws, "send", client.ws.send);
  for (const text of ["a", "b"]) {
    connection.socket.send(text);
    assert.equal(client.ws.send.mock.callCount(), ++before, "at once");
  }
  await writer.write("c");
  await settle(client, peer);
  assert.deepEqual(sizes(), [1, 1, 1]);
});

test("what another socket sends, a datagram, a half-close and a disconnect come behind what was gathered", LIMIT, async (t) => {
  const { client, peer, connections: [one, two], sent } = await session(t, { streams: 2 });
  const udp = client.openUdp({ hostname: "a", port: 1 });
  const { id } = await peer.request(({ type }) => type === 0x06);
  peer.send(0x8a, id, [2, 7]);
  await udp.opened;
  one.connection.socket.send("a");
  two.connection.socket.send("b");
  one.connection.socket.send("c");
  one.connection.socket.send("d");
  udp.socket.send("e");
  one.connection.socket.send("f");
  one.connection.socket.shutdown();
  two.connection.socket.send("g");
  const closed = new Promise((resolve) => peer.ws.on("close", resolve));
  client.disconnect();
  await closed;
  assert.equal(sent().map(({ payload }) => payload).join(), "a,b,cd,e,f,g");
  const last = peer.requests.findLastIndex(({ type, payload }) => type === 0x04 && String(payload) === "f");
  assert.equal(peer.requests[last + 1].type, 0x0b);
});

test("no message is larger than the node takes", LIMIT, async (t) => {
  const { client, peer, connections: [{ writer }], sizes } = await session(t, { hello: { ...HELLO, max_message: 150000 } });
  for (let i = 0; i < 4; i++) await writer.write(new Uint8Array(PIECE));
  await settle(client, peer);
  assert.deepEqual(sizes(), [2 * PIECE, 2 * PIECE]);
});

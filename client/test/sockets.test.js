// Sockets stay within their credit, and listeners get all events, however late they are set.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, connected, fake, opening, settle } from "./fake-node.js";
import { connectClient, next, within } from "./support.js";

const LIMIT = { timeout: 30000 };

test("text in v2 ends the connection; an event for a socket that is over does not", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  const over = client.connect("a", 1);
  const { id } = await opening(node.peers[0]);
  node.peers[0].send(0x85, id, [1, 0]);
  await assert.rejects(over, { code: "normal" });
  for (const type of [0x81, 0x82, 0x85, 0x8c, 0xee]) node.peers[0].send(type, id, "{}");
  await settle(client, node.peers[0]);
  const gone = next(client, "disconnected");
  node.peers[0].ws.send("{}");
  assert.equal((await gone).error.code, "protocol_error");
});

test("onclosed is the last that a socket reports, after what wakes a program that waits to send", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  const calls = [];
  const ended = new Promise((resolve) => {
    const socket = client.socket("tcp", "a", 1, {
      onsendable: () => calls.push("sendable"),
      onclosed: () => {
        calls.push("closed");
        setImmediate(resolve);
      },
    });
    socket.reset();
  });
  await ended;
  assert.deepEqual(calls.slice(-2), ["sendable", "closed"]);
});

test("no more is sent than was granted, and the rest when it is", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, window: 1000 } });
  const client = connectClient(t, node.url);
  const sendable = [];
  const socket = client.socket("tcp", "a", 1, { onsendable: () => sendable.push(socket.sendable) });
  assert.equal(socket.sendable, 0);
  const peer = (await client.ready(), node.peers[0]);
  const { id } = await opening(peer);
  connected(peer, id);
  const sent = () => peer.requests.filter(({ type }) => type === 0x04).reduce((sum, { payload }) => sum + payload.length, 0);
  assert.deepEqual(sendable, [1000], "there is room once there is a connection");
  socket.send(new Uint8Array(2500));
  assert.equal(socket.sendable, 0);
  assert.equal(socket.queued, 1500);
  await settle(client, peer);
  assert.equal(sent(), 1000);
  peer.send(0x8b, id, [4, 700]);
  await settle(client, peer);
  assert.equal(sent(), 1700);
  assert.equal(socket.queued, 800);
  peer.send(0x8b, id, [4, 1000]);
  await settle(client, peer);
  assert.equal(sent(), 2500);
  assert.deepEqual(sendable, [1000, 200]);
});

test("credit is given for what was consumed, and none without", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, window: 1000 } });
  const client = connectClient(t, node.url);
  let received = 0;
  const socket = client.socket("tcp", "a", 1, { ondata: ({ length }) => { received += length; } });
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  peer.send(0x82, id, new Uint8Array(1000));
  await settle(client, peer);
  assert.equal(received, 1000);
  const grants = () => peer.requests.filter(({ type }) => type === 0x0a).map(({ payload }) => payload.readUInt32BE());
  assert.deepEqual(grants(), []);
  socket.consumed(400);
  await settle(client, peer);
  assert.deepEqual(grants(), [400]);
});

test("credit for more than was received is not given, however much the program says it consumed", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, window: 1000 } });
  const client = connectClient(t, node.url);
  const socket = client.socket("tcp", "a", 1, { ondata: () => {} });
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  peer.send(0x82, id, new Uint8Array(600));
  await settle(client, peer);
  const grants = () => peer.requests.filter(({ type }) => type === 0x0a).map(({ payload }) => payload.readUInt32BE());
  // Beyond 32 bits, which a message would have truncated; all of it is granted once.
  for (const count of [5e9, 2 ** 53 - 1, 1]) socket.consumed(count);
  await settle(client, peer);
  assert.deepEqual(grants(), [600]);
  peer.send(0x82, id, new Uint8Array(1000));
  await settle(client, peer);
  assert.equal(socket.ending, null, "the node kept to its credit");
});

test("a stream that is not read grants nothing; reading does", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, window: 1000 } });
  const client = connectClient(t, node.url);
  const connection = client.open("a:1");
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  await connection.opened;
  for (let i = 0; i < 10; i++) peer.send(0x82, id, new Uint8Array(100).fill(i));
  peer.send(0x8c, id);
  await settle(client, peer);
  const grants = () => peer.requests.filter(({ type }) => type === 0x0a).length;
  assert.equal(grants(), 0);
  const reader = connection.readable.getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(64));
  assert.equal(value.length, 64);
  let total = 64;
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(500));
    if (done) break;
    total += value.length;
  }
  assert.equal(total, 1000);
  await settle(client, peer);
  assert.ok(grants() > 0);
});

test("data that is not read stands before the failure that followed it", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const connection = client.open("a:1");
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  peer.send(0x82, id, "one");
  peer.send(0x82, id, "two");
  peer.send(0x85, id, [1, 2], "a broke off");
  await settle(client, peer);
  const reader = connection.readable.getReader();
  let all = "";
  const reading = (async () => { for (;;) all += Buffer.from((await reader.read()).value); })();
  await assert.rejects(reading, { code: "target_reset", message: "a broke off" });
  assert.equal(all, "onetwo");
  await assert.rejects(connection.closed, { code: "target_reset" });
});

test("accepted sockets get their bytes though nobody has asked for them yet", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const binding = client.bind("127.0.0.1", 0);
  await client.ready();
  const peer = node.peers[0];
  const { id } = await peer.request(({ type }) => type === 0x02);
  peer.send(0x83, id, [2, 4000]);
  assert.deepEqual(await binding, { id, port: 4000 });
  const child = 2 ** 52 + 3;
  peer.send(0x84, id, [8, child], "9.9.9.9:9");
  peer.send(0x82, child, "early");
  peer.send(0x85, child, [1, 2], "gone");
  await settle(client, peer);
  const seen = [];
  client.onAccept(id, (connId, remote) => {
    seen.push(connId, remote);
    client.onData(connId, (data) => seen.push(Buffer.from(data).toString()));
    client.onClose(connId, (error) => seen.push(error.code));
  });
  assert.deepEqual(seen, [child, "9.9.9.9:9", "early", "target_reset"]);
});

test("listeners that come late still fire, data first", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const connecting = client.connect("a", 1);
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  peer.send(0x82, id, "one");
  peer.send(0x82, id, "two");
  peer.send(0x85, id, [1, 3], "idle");
  await connecting;
  await settle(client, peer);
  const seen = [];
  client.onData(id, (data) => seen.push(Buffer.from(data).toString()));
  client.onClose(id, ({ code, message }) => seen.push(code, message));
  assert.equal(seen.slice(0, -2).join(""), "onetwo");
  assert.deepEqual(seen.slice(-2), ["target_timeout", "idle"]);
  client.onClose(id, () => assert.fail("told twice"));
  assert.equal(client.sockets.has(id), false);
});

test("ended sockets that nobody asks about are forgotten, the oldest first", LIMIT, async (t) => {
  const node = await fake(t, { protocol: "wasmnet.v1" });
  const client = connectClient(t, node.url, { binary: true });
  await client.ready();
  const [peer] = node.peers;
  const ids = [];
  const endOne = async (bytes) => {
    const connecting = client.connect("a", 1);
    const { id } = await opening(peer);
    peer.send(0x81, id);
    if (bytes) peer.send(0x82, id, new Uint8Array(bytes));
    peer.send(0x85, id);
    await connecting;
    ids.push(id);
  };
  for (let i = 0; i < 1030; i++) await endOne(0);
  await settle(client, peer);
  assert.equal(client.sockets.size, 1024);
  assert.deepEqual([client.sockets.has(ids[5]), client.sockets.has(ids[6])], [false, true]);
  for (let i = 0; i < 9; i++) await endOne(8 << 20);
  await settle(client, peer);
  assert.equal(client.sockets.size, 8, "of 72 MiB that wait 64 are kept");
  let count = 0;
  client.onData(ids.at(-1), (data) => { count += data.length; });
  assert.equal(count, 8 << 20);
});

test("a listener that throws breaks nothing else", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, window: 4 } });
  const client = connectClient(t, node.url);
  const connecting = client.connect("a", 1);
  await client.ready();
  const peer = node.peers[0];
  const { id } = await opening(peer);
  connected(peer, id);
  await connecting;
  await settle(client, peer);
  const thrown = new Promise((resolve) => { globalThis.reportError = resolve; });
  t.after(() => { delete globalThis.reportError; });
  client.onData(id, () => { throw new Error("mine"); });
  peer.send(0x82, id, "1234");
  assert.equal((await thrown).message, "mine");
  const { payload } = await within(5000, peer.request(({ type }) => type === 0x0a));
  assert.equal(payload.readUInt32BE(), 4);
});

test("the sockets that are open are told as events", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const seen = [];
  for (const type of ["socketopen", "socketclose"]) {
    client.addEventListener(type, ({ socket }) => seen.push(`${type} ${socket.host}:${socket.port} ${socket.ending?.code}`));
  }
  const [good, bad] = [client.connect("good", 1), client.connect("bad", 2)];
  await client.ready();
  const peer = node.peers[0];
  const [first, second] = [await opening(peer), await opening(peer)];
  connected(peer, first.id);
  peer.send(0x86, second.id, [1, 32], [4, 0], "bad refused");
  await good;
  await assert.rejects(bad, { code: "refused", message: "bad refused" });
  peer.send(0x85, first.id, [1, 0]);
  await settle(client, peer);
  assert.deepEqual(seen, ["socketopen good:1 undefined", "socketclose bad:2 refused", "socketclose good:1 normal"]);
});

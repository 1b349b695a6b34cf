// What the client does with nodes that are old, slow, silent, broken or going away, and that it keeps to the protocol.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, startFakeNode } from "./fake-node.js";
import { connectClient, next, within } from "./support.js";

const LIMIT = { timeout: 30000 };

async function fake(t, options) {
  const node = await startFakeNode(options);
  t.after(() => node.close());
  return node;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Lets all that is on its way arrive, and what it leads to: a lookup and its answer pass the same WebSocket. */
async function settle(client, peer) {
  await roundTrip(client, peer);
  await roundTrip(client, peer);
}

async function roundTrip(client, peer) {
  const lookup = client.resolve("settle").catch(() => {});
  const { id } = await peer.request((request) => request.type === 0x08 && !request.seen && (request.seen = true));
  peer.send(0x89, id, "[]");
  await lookup;
}

const opening = (peer) => peer.request((request) => request.type === 0x01 && !request.seen && (request.seen = true));
const connected = (peer, id) => peer.send(0x81, id, '{"local":"1.1.1.1:1","remote":"2.2.2.2:2"}');

test("both languages are offered, and the token beside them", LIMIT, async (t) => {
  const node = await fake(t);
  await connectClient(t, node.url, { token: "abc" }).ready();
  await connectClient(t, node.url, { token: () => "def", protocol: "v2" }).ready();
  assert.equal(node.peers[0].offer, "wasmnet.v2,wasmnet.v1,wasmnet.bearer.abc");
  assert.equal(node.peers[1].offer, "wasmnet.v2,wasmnet.bearer.def");
});

test("a node that picks v1 is spoken to in v1", LIMIT, async (t) => {
  const node = await fake(t, { protocol: "wasmnet.v1" });
  const client = connectClient(t, node.url, { token: "t" });
  await client.ready();
  assert.equal(client.version, 1);
  const connecting = client.connect("a.b", 80);
  const { id, addr, port } = await node.peers[0].request(({ op }) => op === "connect");
  assert.deepEqual([addr, port], ["a.b", 80]);
  node.peers[0].ws.send(JSON.stringify({ ev: "connected", id }));
  assert.equal(await connecting, id);
});

test("a node that knows no subprotocol is asked again without one", LIMIT, async (t) => {
  const node = await fake(t, { protocol: null });
  const client = connectClient(t, node.url);
  await client.ready();
  assert.equal(client.version, 1);
  assert.equal(node.peers.at(-1).offer, undefined);
  // Each time: what stands there later may know more.
  const again = next(client, "connected");
  node.peers.at(-1).ws.terminate();
  assert.equal((await again).isReconnect, true);
  assert.equal(node.peers.at(-1).offer, undefined);
});

test("once a node has spoken v2, nothing less is taken", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url, { reconnect: { baseMs: 1 } });
  await client.ready();
  const again = next(client, "connected");
  node.peers[0].ws.terminate();
  await again;
  assert.equal(node.peers[1].offer, "wasmnet.v2");
});

test("a token may be fetched, anew for each connection; without one there is none", LIMIT, async (t) => {
  const node = await fake(t);
  let count = 0;
  const client = connectClient(t, node.url, { reconnect: { baseMs: 1 }, token: async () => `token-${++count}` });
  await client.ready();
  const again = next(client, "connected");
  node.peers[0].ws.terminate();
  await again;
  assert.deepEqual(node.peers.map(({ offer }) => offer.split(".").at(-1)), ["token-1", "token-2"]);
  const without = connectClient(t, node.url, { token: () => Promise.reject(new Error("signed out")) });
  await assert.rejects(without.ready(), { code: "not_admitted", message: "no token: signed out" });
  const early = connectClient(t, node.url, { token: () => new Promise(() => {}) });
  const waiting = early.connect("a", 1);
  early.disconnect();
  await assert.rejects(waiting, { code: "client_closed" });
  assert.equal(node.peers.length, 2);
});

test("protocol v1 offers nothing, v2 takes nothing else", LIMIT, async (t) => {
  const old = await fake(t, { protocol: null });
  await connectClient(t, old.url, { protocol: "v1" }).ready();
  assert.equal(old.peers[0].offer, undefined);
  await assert.rejects(connectClient(t, old.url, { protocol: "v2" }).ready(), { code: "connection_lost" });
});

test("a node that cannot be reached rejects ready and every call, and a later call tries again", LIMIT, async (t) => {
  const node = await startFakeNode();
  await node.close();
  const client = connectClient(t, node.url);
  const calls = [client.ready(), client.connect("a", 1), client.resolve("a"), client.open("a:1").opened];
  for (const call of calls) await assert.rejects(call, { name: "WasmnetError", code: "connection_lost" });
  await assert.rejects(client.ready(), { code: "connection_lost" });
});

test("a node that says nothing is given up", LIMIT, async (t) => {
  const node = await fake(t, { hello: null });
  await assert.rejects(connectClient(t, node.url, { openTimeoutMs: 100 }).ready(), { code: "connect_timeout" });
});

test("a client that is not admitted learns why, and does not ask again", LIMIT, async (t) => {
  const node = await fake(t, { hello: null, onconnection: ({ ws }) => ws.close(1008, "not_admitted") });
  const client = connectClient(t, node.url);
  const gone = next(client, "disconnected");
  await assert.rejects(client.ready(), { code: "not_admitted" });
  assert.equal((await gone).retryInMs, null);
  assert.equal(node.peers.length, 1);
});

test("a message that cannot be read ends the connection and all that hangs on it", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url, { reconnect: false });
  const connecting = client.connect("a", 1);
  await client.ready();
  const { id } = await opening(node.peers[0]);
  connected(node.peers[0], id);
  await connecting;
  const ended = new Promise((resolve) => client.onClose(id, resolve));
  const lookup = client.resolve("a");
  node.peers[0].ws.send(Buffer.from([0x83, 0]));
  assert.equal((await ended).code, "protocol_error");
  await assert.rejects(lookup, { code: "protocol_error" });
  await assert.rejects(client.connect("a", 1), { code: "protocol_error" }, "without reconnect there is no other connection");
});

test("text in v2 is such a message; an event for nobody is not", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  for (const type of [0x81, 0x82, 0x85, 0x8c, 0xee]) node.peers[0].send(type, 999, "{}");
  await settle(client, node.peers[0]);
  const gone = next(client, "disconnected");
  node.peers[0].ws.send("{}");
  assert.equal((await gone).error.code, "protocol_error");
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

test("goaway: live sockets go on, new ones go to the next connection", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const connecting = client.connect("a", 1);
  await client.ready();
  const [old] = node.peers;
  const { id } = await opening(old);
  connected(old, id);
  await connecting;
  const leaving = next(client, "goaway");
  old.send(0x8d, 0, [4, 60000], "the node is going away");
  assert.equal((await leaving).reconnectInMs, 60000);
  // An opening does not wait for the minute.
  const second = client.connect("b", 2);
  await client.ready();
  const fresh = node.peers[1];
  const { id: secondId } = await opening(fresh);
  assert.ok(secondId > id);
  connected(fresh, secondId);
  await second;
  const data = new Promise((resolve) => client.onData(id, resolve));
  old.send(0x82, id, "still");
  assert.equal(Buffer.from(await data).toString(), "still");
  const ended = new Promise((resolve) => client.onClose(id, resolve));
  old.ws.close(1001, "draining");
  assert.equal((await ended).code, "draining");
  assert.equal(client.version, 2, "the new connection is not touched");
});

test("goaway without reconnect refuses what is new", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url, { reconnect: false });
  await client.ready();
  const leaving = next(client, "goaway");
  node.peers[0].send(0x8d, 0, [4, 1], "the node is going away");
  await leaving;
  await assert.rejects(client.connect("a", 1), { code: "draining" });
});

test("a lost connection is told with a time to the next attempt, which doubles at most to the cap", LIMIT, async (t) => {
  const node = await startFakeNode();
  const client = connectClient(t, node.url, { reconnect: { baseMs: 8, capMs: 64 } });
  await client.ready();
  await node.close();
  let share = 0;
  for (let attempt = 0; attempt < 6; attempt++) {
    const { retryInMs } = await next(client, "disconnected");
    const bound = Math.min(64, 8 * 2 ** attempt);
    assert.ok(retryInMs >= 0 && retryInMs <= bound, `${retryInMs} at attempt ${attempt}`);
    share += retryInMs / bound / 6;
  }
  // At random: that six are all near their bounds happens once in a million runs.
  assert.ok(share < 0.95, `${share} of the bounds`);
});

test("a node that falls silent is asked, and then given up", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, heartbeat_ms: 1000 } });
  const client = connectClient(t, node.url, { reconnect: false });
  const socket = client.open("a:1");
  await client.ready();
  const answered = node.peers[0].requests.find(({ type }) => type === 0x03) ?? await node.peers[0].request(({ type }) => type === 0x03);
  node.peers[0].send(0x86, answered.id, [1, 49], [4, 0], "there is no listener");
  await node.peers[0].request((request) => request.type === 0x03 && request !== answered);
  await assert.rejects(socket.opened, { code: "connection_lost", message: /does not answer/ });
});

test("disconnect ends everything that waits, for good", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const early = client.connect("a", 1);
  client.disconnect();
  await assert.rejects(early, { code: "client_closed" });
  await assert.rejects(client.ready(), { code: "client_closed" });
  await assert.rejects(client.resolve("a"), { code: "client_closed" });
  await turn();
  assert.equal(client.openSockets.length, 0);
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

test("what cannot be meant is refused before it is sent", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  for (const port of [-1, 65536, 1.5, NaN, "80", undefined]) await assert.rejects(client.connect("a", port), RangeError);
  await assert.rejects(client.connect("", 1), TypeError);
  assert.throws(() => client.open("a:1", { transport: "sctp" }), TypeError);
  assert.throws(() => client.socket("raw", "a", 1), TypeError);
  assert.throws(() => connectClient(t, node.url, { protocol: "v3" }), TypeError);
});

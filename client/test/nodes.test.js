// What the client does with nodes that are old, slow, silent, broken or going away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, connected, fake, opening, startFakeNode } from "./fake-node.js";
import { connectClient, next } from "./support.js";

const LIMIT = { timeout: 30000 };

const turn = () => new Promise((resolve) => setImmediate(resolve));

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

// The client with nodes that are old, slow, silent, broken or about to end.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { HELLO, connected, fake, opening, startFakeNode } from "./fake-node.js";
import { startCutter } from "./cutter.js";
import { connectClient, next, startNode } from "./support.js";
import { WebSocket } from "./ws.js";

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
  // Each time: a later node may support more.
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
  await assert.rejects(without.ready(), { code: "not_admitted", message: "the token function failed" });
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

/** No server listens there, and none will unless it requests this port. */
async function freePort() {
  const { url, server, close } = await startFakeNode();
  const { port } = server.address();
  await close();
  return { port, url };
}

test("a first attempt that fails is repeated as after a loss, until there is a node", LIMIT, async (t) => {
  const { port, url } = await freePort();
  const client = connectClient(t, url, { reconnect: { baseMs: 20, capMs: 20 } });
  const calls = [client.ready(), client.connect("a", 1).catch(({ code }) => code)];
  for (let i = 0; i < 3; i++) {
    const { error, retryInMs } = await next(client, "disconnected");
    assert.equal(error.message, `the node at ${url} cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`);
    assert.ok(retryInMs >= 0 && retryInMs <= 20);
  }
  const came = next(client, "connected");
  const node = await fake(t, { port });
  await calls[0];
  assert.equal((await came).isReconnect, false);
  node.peers[0].send(0x86, (await opening(node.peers[0])).id, [1, 32], [4, 0], "refused");
  assert.equal(await calls[1], "refused", "what waited is opened");
});

test("what waits for a node ends after openTimeoutMs, and says why there is none", LIMIT, async (t) => {
  const { url } = await freePort();
  const client = connectClient(t, url, { openTimeoutMs: 200, reconnect: { baseMs: 10, capMs: 10 } });
  const calls = [client.ready(), client.connect("a", 1), client.resolve("a"), client.open("a:1").opened];
  for (const call of calls) await assert.rejects(call, { name: "WasmnetError", code: "connection_lost", message: /ECONNREFUSED/ });
  assert.equal(client.openSockets.length, 0);
  assert.ok((await next(client, "disconnected")).retryInMs !== null, "and it goes on trying");
});

for (const reconnect of [false, { first: false }]) {
  test(`with reconnect: ${JSON.stringify(reconnect)} a first attempt that fails rejects every call, and a later call tries again`, LIMIT, async (t) => {
    const { port, url } = await freePort();
    const client = connectClient(t, url, { reconnect });
    const calls = [client.ready(), client.connect("a", 1), client.resolve("a"), client.open("a:1").opened];
    const gone = next(client, "disconnected");
    for (const call of calls) await assert.rejects(call, { name: "WasmnetError", code: "connection_lost" });
    assert.equal((await gone).retryInMs, null);
    await assert.rejects(client.ready(), { code: "connection_lost" });
    if (!reconnect) return;
    await fake(t, { port });
    await client.ready();
  });
}

test("a node that says nothing is given up", LIMIT, async (t) => {
  const node = await fake(t, { hello: null });
  const client = connectClient(t, node.url, { openTimeoutMs: 100 });
  await assert.rejects(client.ready(), { code: "connect_timeout", message: `the node at ${node.url} did not answer within 100 ms` });
});

/** Reports as little about a failed handshake as a page's. */
class Blind extends WebSocket {
  addEventListener(type, listener) { super.addEventListener(type, type === "error" ? () => listener({}) : listener); }
}
const BLIND = { WebSocket: Blind, reconnect: { baseMs: 1, capMs: 1 } };
const BOTH = "wasmnet.v2,wasmnet.v1";

test("a first handshake that is cut costs an attempt, not the language", LIMIT, async (t) => {
  const node = await startNode(t);
  const { setTimeout } = globalThis;
  t.after(() => { globalThis.setTimeout = setTimeout; });
  globalThis.setTimeout = (callback, ms, ...rest) => {
    assert.ok(ms >= 0 || ms < 0, `a timer of ${ms} ms`);
    return setTimeout(callback, ms, ...rest);
  };
  for (const options of [{ reconnect: BLIND.reconnect }, BLIND, { ...BLIND, reconnect: false }]) {
    const cutter = await startCutter(t, node, 1);
    const client = connectClient(t, cutter.url, options);
    await client.ready();
    assert.equal(client.version, 2);
    assert.deepEqual(cutter.offers, [BOTH, BOTH]);
  }
});

test("the second attempt at v2 waits for the back-off", LIMIT, async (t) => {
  const node = await startNode(t);
  // Of the jitter, half the bound: 500 ms where the program gives none.
  t.mock.method(Math, "random", () => 0.5);
  for (const [reconnect, wait] of [[{ baseMs: 200, capMs: 200 }, 100], [false, 250]]) {
    const cutter = await startCutter(t, node, 2);
    const client = connectClient(t, cutter.url, { ...BLIND, reconnect });
    await client.ready();
    assert.deepEqual(cutter.offers, [BOTH, BOTH, ""]);
    const between = cutter.times[1] - cutter.times[0];
    // Node's timers count whole milliseconds.
    assert.ok(between >= wait - 1, `${between} ms between two attempts, of which the back-off is ${wait}`);
  }
});

test("where the answer is seen it is gone by: a handshake that was cut is never taken for an old node's", LIMIT, async (t) => {
  const cutter = await startCutter(t, await startNode(t), 5);
  const client = connectClient(t, cutter.url, { reconnect: BLIND.reconnect });
  await client.ready();
  assert.equal(client.version, 2);
  assert.deepEqual(cutter.offers, Array(6).fill(BOTH));
});

/** As Node 22's own: a failed handshake is an error, and no close follows. */
class Mute extends Blind {
  addEventListener(type, listener) {
    super.addEventListener(type, type === "close" ? (event) => { if (this.protocol || this.readyState < 2) listener(event); } : listener);
  }
}

test("a WebSocket that only says error has ended", LIMIT, async (t) => {
  const cutter = await startCutter(t, await startNode(t), 1);
  const client = connectClient(t, cutter.url, { ...BLIND, WebSocket: Mute });
  assert.equal((await next(client, "disconnected")).error.code, "connection_lost");
  await client.ready();
  assert.equal(client.version, 2);
});

test("an answer that is none of a node's is no old node's either", LIMIT, async (t) => {
  const offers = [];
  const proxy = createServer().on("upgrade", (request, socket) => {
    offers.push(request.headers["sec-websocket-protocol"]);
    socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => proxy.close());
  const client = connectClient(t, `ws://127.0.0.1:${proxy.address().port}/`, { reconnect: BLIND.reconnect });
  for (let i = 0; i < 4; i++) assert.match((await next(client, "disconnected")).error.message, /cannot be reached: Unexpected server response: 502$/);
  assert.deepEqual(offers.slice(0, 4), Array(4).fill(BOTH));
});

test("where it is not, v1 is spoken after two failures, and the next connection begins with v2", LIMIT, async (t) => {
  const cutter = await startCutter(t, await startNode(t), 2);
  const client = connectClient(t, cutter.url, BLIND);
  await client.ready();
  assert.equal(client.version, 1);
  const again = next(client, "connected");
  client.ws.close(3000);
  await again;
  assert.equal(client.version, 2);
  assert.deepEqual(cutter.offers, [BOTH, BOTH, "", BOTH]);
  // v2 was used: no number of failures leads back.
  cutter.cuts = 4;
  const back = next(client, "connected");
  client.ws.close(3000);
  await back;
  assert.equal(client.version, 2);
  assert.deepEqual(cutter.offers.slice(4), Array(5).fill("wasmnet.v2"));
});

test("v1 is only spoken where a connection without an offer opens", LIMIT, async (t) => {
  const cutter = await startCutter(t, await startNode(t), 4);
  const client = connectClient(t, cutter.url, BLIND);
  await client.ready();
  assert.equal(client.version, 2);
  assert.deepEqual(cutter.offers, [BOTH, BOTH, "", BOTH, BOTH]);
});

test("with a token nothing is tried without one", LIMIT, async (t) => {
  const cutter = await startCutter(t, await fakeAsTarget(t), 5);
  const client = connectClient(t, cutter.url, { ...BLIND, token: "abc" });
  await client.ready();
  assert.deepEqual(cutter.offers, Array(6).fill(`${BOTH},wasmnet.bearer.abc`));
});

const fakeAsTarget = async (t) => ({ port: (await fake(t)).server.address().port });

test("a node whose v2 was seen in a handshake is not taken for an old one, though it said no hello", LIMIT, async (t) => {
  let count = 0;
  const node = await fake(t, { hello: null, onconnection: (peer) => (++count < 4 ? peer.ws.terminate() : peer.send(0x90, 0, JSON.stringify(HELLO))) });
  const client = connectClient(t, node.url, BLIND);
  await client.ready();
  assert.deepEqual(node.peers.map(({ offer }) => offer), [BOTH, ...Array(3).fill("wasmnet.v2")]);
});

test("a client that is not admitted learns why, and does not ask again", LIMIT, async (t) => {
  const node = await fake(t, { hello: null, onconnection: ({ ws }) => ws.close(1008, "not_admitted") });
  const client = connectClient(t, node.url);
  const gone = next(client, "disconnected");
  await assert.rejects(client.ready(), { code: "not_admitted" });
  assert.equal((await gone).retryInMs, null);
  assert.equal(node.peers.length, 1);
});

for (const [code, reason, words] of [
  [1008, "not_admitted", /did not let this client in: it needs a valid token, as the option token$/],
  [1008, "policy_denied", /: it takes nobody from here; its operator may add this origin to allowed_origins$/],
  [1008, "denylisted", /: its operator denied this client$/],
]) {
  test(`${reason} ends it at once, also where it would be tried again`, LIMIT, async (t) => {
    let isShut = true;
    const node = await fake(t, { hello: null, onconnection: (peer) => (isShut ? peer.ws.close(code, reason) : peer.send(0x90, 0, JSON.stringify(HELLO))) });
    const client = connectClient(t, node.url);
    const calls = [client.ready(), client.connect("a", 1), client.resolve("a")];
    const gone = next(client, "disconnected");
    for (const call of calls) await assert.rejects(call, { code: reason, message: words });
    assert.equal((await gone).retryInMs, null);
    assert.equal(node.peers.length, 1);
    isShut = false;
    await client.ready();
  });
}

test("limits are waited out, and say in words what they are", LIMIT, async (t) => {
  let left = 3;
  const reasons = ["max_sessions", "connect_rate", ""];
  const node = await fake(t, { hello: null, onconnection: (peer) => (left-- > 0 ? peer.ws.close(1013, reasons[2 - left]) : peer.send(0x90, 0, JSON.stringify(HELLO))) });
  const client = connectClient(t, node.url, { reconnect: { baseMs: 1 } });
  const seen = [];
  client.addEventListener("disconnected", ({ error: { code, message } }) => seen.push([code, message.replace(/.*: /, "")]));
  await client.ready();
  assert.deepEqual(seen, [
    ["max_sessions", "max_sessions, try again later"],
    ["connect_rate", "connect_rate, try again later"],
    ["overloaded", "overloaded, try again later"],
  ]);
});

test("where the status of a handshake is seen, 429 is the client's own limit and not a node without room", LIMIT, async (t) => {
  const full = createServer().on("upgrade", (request, socket) => {
    socket.end("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(full, "listening");
  t.after(() => full.close());
  const client = connectClient(t, `ws://127.0.0.1:${full.address().port}/`, { reconnect: false });
  await assert.rejects(client.ready(), { code: "connect_rate", message: /did not let this client in: connect_rate, try again later$/ });
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
  // Random: six values near their bounds happen once in a million runs.
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

test("a node is given up three heartbeats after its last word, not later, whenever that came", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, heartbeat_ms: 1000 } });
  const client = connectClient(t, node.url, { reconnect: false });
  await client.ready();
  const [peer] = node.peers;
  // Its last message is the answer to the first heartbeat: a timer that only counts heartbeats detects the silence up to two later.
  for (let i = 0; i < 2; i++) {
    const { id } = await peer.request((request) => request.type === 0x03 && !request.seen && (request.seen = true));
    peer.send(0x86, id, [1, 49], [4, 0], "there is no listener");
  }
  // Both timers run in this process: a busy machine delays both.
  const outcome = await Promise.race([
    next(client, "disconnected").then(({ error }) => error.message),
    new Promise((resolve) => setTimeout(resolve, 3500, "not yet")),
  ]);
  assert.match(outcome, /does not answer/);
});

test("a silent node is given up although every timer comes late, as in a hidden page", LIMIT, async (t) => {
  const node = await fake(t, { hello: { ...HELLO, heartbeat_ms: 1000 } });
  const client = connectClient(t, node.url, { reconnect: false });
  await client.ready();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (callback, ms, ...rest) => setTimeout(callback, ms > 100 ? ms + 1200 : ms, ...rest);
  t.after(() => { globalThis.setTimeout = setTimeout; });
  const { error } = await next(client, "disconnected");
  assert.match(error.message, /does not answer/);
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

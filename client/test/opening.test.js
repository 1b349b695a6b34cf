// The guarantees while a socket opens: it has a time limit, and no promise resolves for something that did not happen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connected, fake, opening, settle } from "./fake-node.js";
import { connectClient, startNode, startTarget, within } from "./support.js";

const LIMIT = { timeout: 30000 };
const SHORT = { openTimeoutMs: 100 };

/** Every way to open a socket or listener, as a promise that waits for it. */
const ways = (client, options) => ({
  open: client.open("a:1", options).opened,
  listenOn: client.listenOn("127.0.0.1:1", options).opened,
  openUdp: client.openUdp("9.9.9.9:53", options).opened,
  listenUdp: client.listenUdp("127.0.0.1:1", options).opened,
  resolve: client.resolve("a", options),
});
const byNumber = (client) => ({ connect: client.connect("a", 1), bind: client.bind("127.0.0.1", 1), connectUdp: client.connectUdp("a", 1) });

async function allLate(promises) {
  for (const [way, promise] of Object.entries(promises)) {
    await assert.rejects(within(5000, promise, way), { name: "WasmnetError", code: "connect_timeout", message: /within 100 ms$/ }, way);
  }
}

test("an opening takes its own openTimeoutMs at most, or the client's, and the node is told to drop it", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  await allLate(ways(client, SHORT));
  const impatient = connectClient(t, node.url, SHORT);
  await impatient.ready();
  await allLate({ ...ways(impatient), ...byNumber(impatient) });
  assert.deepEqual([client.openSockets, impatient.openSockets], [[], []]);
  const { requests } = node.peers[0];
  for (const request of requests) request.seen = true;
  await settle(client, node.peers[0]);
  const types = requests.map(({ type }) => type);
  assert.deepEqual(types.filter((type) => type === 0x0c || type === 0x05), [0x0c, 0x05, 0x05, 0x05], "a reset, and closes of what has none");
});

test("the time counts from the call, also while there is no node", LIMIT, async (t) => {
  // Accepts connections, and never answers.
  const silent = await startTarget(t, () => {});
  await allLate(ways(connectClient(t, `ws://127.0.0.1:${silent.port}/`), SHORT));
});

test("what has opened in time lives on, and a time that is none is refused", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const connection = client.open("a:1", { openTimeoutMs: 50 });
  const [peer] = node.peers;
  connected(peer, (await opening(peer)).id);
  await connection.opened;
  t.mock.timers.tick(10000);
  t.mock.timers.reset();
  await settle(client, peer);
  assert.equal(connection.socket.state, "open");
  for (const openTimeoutMs of [0, -1, NaN, Infinity, 2 ** 31, "soon"]) {
    assert.throws(() => client.open("a:1", { openTimeoutMs }), /openTimeoutMs/);
    await assert.rejects(client.resolve("a", { openTimeoutMs }), /openTimeoutMs/);
  }
});

test("what is over before it is read, or taken, settles all the same", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url, { reconnect: false });
  const connection = client.open("a:1");
  const listener = client.listenOn("127.0.0.1:1");
  await client.ready();
  const [peer] = node.peers;
  const { id } = await opening(peer);
  connected(peer, id);
  peer.send(0x82, id, "never read");
  const { id: listening } = await peer.request(({ type }) => type === 0x02);
  peer.send(0x83, listening, [2, 1]);
  const child = 2 ** 52;
  peer.send(0x84, listening, [8, child], "1.1.1.1:1");
  peer.send(0x82, child, "late");
  peer.send(0x85, child, [1, 2], "gone");
  await settle(client, peer);
  const accepted = await listener.accept();
  assert.equal((await within(5000, accepted.opened, "opened")).remotePort, 1);
  await assert.rejects(within(5000, accepted.closed, "closed"), { code: "target_reset" });
  const reader = accepted.readable.getReader();
  assert.equal(Buffer.from((await reader.read()).value).toString(), "late");
  await assert.rejects(reader.read(), { code: "target_reset" });

  const writer = connection.writable.getWriter();
  peer.ws.terminate();
  await assert.rejects(within(5000, connection.closed, "closed"), { code: "connection_lost" });
  await assert.rejects(within(5000, writer.closed, "the writer"), { code: "connection_lost" });
  assert.equal(Buffer.from((await connection.readable.getReader().read()).value).toString(), "never read", "and what came is still there");
});

test("a number is known once its socket is open, so nothing can take the answer from who waits", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  const connecting = client.connect("a", 1);
  await client.ready();
  const { id } = await opening(node.peers[0]);
  client.onClose(id, () => {});
  client.close(id);
  connected(node.peers[0], id);
  assert.equal(await within(5000, connecting, "the connect"), id);
});

test("without a node and without reconnect a socket's end is told after `socket` has returned it", LIMIT, async (t) => {
  const client = connectClient(t, "ws://127.0.0.1:1/", { reconnect: false });
  await assert.rejects(client.ready(), { code: "connection_lost" });
  let socket = null;
  const ended = new Promise((resolve) => { socket = client.socket("tcp", "a", 1, { onclosed: (error) => resolve([socket, error.code]) }); });
  assert.equal(socket.ending, null);
  assert.deepEqual(await within(5000, ended, "the end"), [socket, "connection_lost"]);
  assert.deepEqual(client.openSockets, []);
});

test("a name that the node finds invalid is that call's `protocol_error`, and the session goes on", LIMIT, async (t) => {
  const client = connectClient(t, (await startNode(t)).url);
  for (const name of ["b\u00fccher.example", "127.1", "-"]) {
    await assert.rejects(client.connect(name, 80), { code: "protocol_error" }, name);
    await assert.rejects(client.resolve(name), { code: "protocol_error" }, name);
  }
  assert.deepEqual(await client.resolve("127.0.0.1"), ["127.0.0.1"]);
});

// The amount that a node can pile up in a guest that does not read: every queue of the bridge has a bound.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, connected, fake, settle } from "../fake-node.js";
import { connectClient, within } from "../support.js";
import { emscriptenWebSocket } from "../../wasi/emscripten.js";
import { RemoteTransport } from "../../wasi/remote.js";
import { GuestService } from "../../wasi/service.js";
import { SocketTable } from "../../wasi/table.js";
import { ClientTransport } from "../../wasi/transport.js";
import { UdpSocket } from "../../wasi/udp.js";

const LIMIT = { timeout: 60000 };
const KIB = 1024;
const NODE_ID = 2 ** 52;

async function session(t, { protocol = "wasmnet.v2" } = {}) {
  const node = await fake(t, { protocol, hello: HELLO });
  const client = connectClient(t, node.url, { binary: true, reconnect: false });
  await client.ready();
  return { client, peer: node.peers[0] };
}

/** The transports for a guest: in its own thread, or over shared memory that is not read until `pump`. */
const transports = {
  "in the client's thread": (client) => ({ transport: new ClientTransport(client), pump() {} }),
  "over shared memory": (client, t) => {
    const { waitAsync } = Atomics;
    delete Atomics.waitAsync;
    t.after(() => { Atomics.waitAsync = waitAsync; });
    const service = new GuestService(client);
    t.after(() => service.close());
    const remote = new RemoteTransport(service.link);
    return { transport: remote, pump: () => remote.pump() };
  },
};

const turn = () => new Promise((resolve) => setImmediate(resolve));
const until = (done, what) => within(10000, (async () => { while (!done()) await turn(); })(), what);

for (const [where, start] of Object.entries(transports)) {
  test(`datagrams that a guest does not read: the newest are kept, the others counted (${where})`, LIMIT, async (t) => {
    const { client, peer } = await session(t);
    const { transport, pump } = start(client, t);
    const socket = new UdpSocket(new SocketTable(), transport, 1);
    socket.bind(Uint8Array.of(127, 0, 0, 1), 5000);
    const { id } = await peer.request(({ type }) => type === 0x0d);
    peer.send(0x8a, id, [2, 5000]);
    await until(() => (pump(), !socket.isOpening), "the socket");
    const count = 6000;
    for (let i = 0; i < count; i++) peer.send(0x88, id, [2, 9], [2, 7], "1.2.3.4", Buffer.alloc(1000, String(i)));
    for (let i = 0; i < 3000; i++) peer.send(0x88, id, [2, 9], [2, 7], "1.2.3.4");
    peer.send(0x88, id, [2, 9], [2, 7], "1.2.3.4", "the last");
    await settle(client, peer);
    const [{ dropped: droppedBefore }] = client.openSockets;
    if (where === "over shared memory") assert.ok(droppedBefore > 3000, `${droppedBefore} were dropped before the guest's thread took any`);
    let last;
    const read = () => {
      const buffer = new Uint8Array(2000);
      for (let length; (length = socket.receive([buffer])) >= 0 && socket.queued >= 0;) last = Buffer.from(buffer.subarray(0, length)).toString();
    };
    await until(() => (pump(), socket.queued < 2049 || assert.fail(`${socket.queued} are queued`), read(), last === "the last"), "the last datagram");
    assert.ok(client.openSockets[0].dropped + socket.dropped > 5000);
  });

  test(`v1, without credit: what a guest does not read is bounded and arrives whole (${where})`, LIMIT, async (t) => {
    const { client, peer } = await session(t, { protocol: "wasmnet.v1" });
    const { transport, pump } = start(client, t);
    let held = 0;
    const channel = transport.connect({ host: "a", port: 1 }, { data: ({ length }) => { held += length; } });
    const { id } = await peer.request(({ type }) => type === 0x01);
    peer.send(0x81, id);
    const total = 16 << 20;
    for (let i = 0; i < total; i += 64 * KIB) peer.send(0x82, id, new Uint8Array(64 * KIB));
    await settle(client, peer);
    pump();
    assert.ok(held <= 1100 * KIB, `${held} bytes`);
    assert.ok(client.openSockets[0].waitingBytes >= total - 2200 * KIB, "the rest waits in the client, whose bound it counts for");
    let read = 0;
    await until(() => {
      pump();
      const count = held;
      held = 0;
      read += count;
      channel.consumed(count);
      return read === total;
    }, "all of it");
  });

  test(`a datagram that cannot be sent is an error of its own (${where})`, LIMIT, async (t) => {
    const { client, peer } = await session(t);
    const { transport, pump } = start(client, t);
    const failed = [];
    const channel = transport.connectUdp({ host: "a", port: 1 }, { failed: (code) => failed.push(code) });
    const { id } = await peer.request(({ type }) => type === 0x06);
    peer.send(0x8a, id, [2, 1]);
    channel.sendTo(new Uint8Array(65508), "1.2.3.4", 5);
    channel.sendTo(new Uint8Array(3), "1.2.3.4", 5);
    await until(() => (pump(), failed.length > 0), "the error");
    assert.deepEqual(failed, ["message_too_large"]);
    await peer.request(({ type, payload }) => type === 0x07 && payload.length === 14);
  });
}

test("connections that a guest's thread does not take are bounded", LIMIT, async (t) => {
  const { client, peer } = await session(t);
  const { transport } = transports["over shared memory"](client, t);
  transport.bind({ host: "127.0.0.1", port: 1 }, {});
  const { id } = await peer.request(({ type }) => type === 0x02);
  peer.send(0x83, id, [2, 1]);
  const chunk = new Uint8Array(64 * KIB);
  for (let i = 0; i < 600; i++) {
    peer.send(0x84, id, [8, NODE_ID + i], "1.2.3.4:5");
    for (let k = 0; k < 4; k++) peer.send(0x82, NODE_ID + i, chunk);
  }
  await settle(client, peer);
  const { length } = peer.requests.filter(({ type }) => type === 0x0c);
  assert.ok(length > 300, `${length} of 600 were reset`);
});

test("Emscripten's queue holds so many datagrams and no more; the newest are kept", LIMIT, async (t) => {
  const { client, peer } = await session(t);
  const Sockets = emscriptenWebSocket(client, { Native: class {}, isDatagram: () => true });
  const webSocket = new Sockets("ws://a:53/", ["binary"]);
  const queue = [];
  webSocket.onmessage = ({ data }) => queue.push({ addr: "a", port: 53, data: new Uint8Array(data) });
  const { id } = await peer.request(({ type }) => type === 0x06);
  peer.send(0x8a, id, [2, 1]);
  for (let i = 0; i < 2000; i++) peer.send(0x88, id, [2, 9], [2, 1], "a", Buffer.alloc(1000));
  for (let i = 0; i < 5000; i++) peer.send(0x88, id, [2, 9], [2, 1], "a");
  peer.send(0x88, id, [2, 9], [2, 1], "a", "the last");
  await settle(client, peer);
  assert.ok(queue.length < 300, `${queue.length} wait in SOCKFS`);
  const [socket] = client.openSockets;
  assert.ok(socket.dropped > 4000, `${socket.dropped} were dropped`);
  let last;
  await until(() => {
    const entry = queue.shift();
    if (entry?.data.length) last = Buffer.from(entry.data).toString();
    return last === "the last";
  }, "the last datagram");
});

test("over v1 Emscripten's queue holds a bounded part of a stream, and all of it arrives", LIMIT, async (t) => {
  const { client, peer } = await session(t, { protocol: "wasmnet.v1" });
  const Sockets = emscriptenWebSocket(client, { Native: class {} });
  const webSocket = new Sockets("ws://a:80/", ["binary"]);
  const queue = [];
  webSocket.onmessage = ({ data }) => queue.push({ addr: "a", port: 80, data: new Uint8Array(data) });
  const { id } = await peer.request(({ type }) => type === 0x01);
  peer.send(0x81, id);
  for (let i = 0; i < 256; i++) peer.send(0x82, id, new Uint8Array(64 * KIB));
  await settle(client, peer);
  assert.ok(queue.length <= 17, `${queue.length} of 256 wait in SOCKFS`);
  let read = 0;
  await until(() => (read += queue.shift()?.data.length ?? 0) === 16 << 20, "all of it");
});

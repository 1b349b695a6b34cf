// One case of the fuzzer: a program that uses the client in every way, and a node controlled by a seed.

import assert from "node:assert/strict";
import { WasmnetClient, WasmnetError } from "../../wasmnet-client.js";
import { nodeClass } from "./node.js";
import { Random } from "./random.js";

const STEPS = 60;
const MOST_HELD = (16 << 20) + (1 << 20);
/** Four draining connections, and the one in use. */
const MOST_LINKS = 5;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Runs the case of a seed. Rejects if the client violates its guarantees: a call that never settles, one that fails with another
 * error than a WasmnetError, too much memory.
 *
 * @returns {Promise<{messages: number, violations: number}>}
 */
export async function runCase(seed) {
  const random = new Random(seed);
  const Node = nodeClass(random, seed % 8 !== 0);
  const client = new WasmnetClient("ws://fuzz.test/", {
    WebSocket: Node, protocol: random.pick(["auto", "auto", "v2", "v1"]), binary: random.chance(2), reconnect: random.chance(2) ? { baseMs: 1, capMs: 2 } : false,
  });
  let violations = 0;
  // A fault of the client itself would end the session with another class.
  let fault = null;
  client.addEventListener("disconnected", ({ error }) => {
    if (!(error instanceof WasmnetError)) fault ??= error;
    if (error.code === "protocol_error") violations++;
  });
  const pending = new Map();
  const expect = (promise, what) => {
    const settled = promise.then(() => {}, (error) => {
      // Streams have their own errors for a reader that was cancelled, or a writer that is closed.
      assert.ok(error instanceof WasmnetError || error instanceof TypeError || error === undefined, error?.stack ?? String(error));
    });
    pending.set(settled, what);
    settled.then(() => pending.delete(settled), () => {});
  };
  for (let step = 0; step < STEPS; step++) {
    use(client, random, expect);
    const node = Node.made.at(-1);
    for (let i = random.below(8); i > 0; i--) node?.act();
    if (random.chance(3)) await turn();
    checkMemory(client);
    if (fault) throw fault;
  }
  client.disconnect();
  for (const node of Node.made) node.end(1006, "");
  for (let i = 0; pending.size > 0; i++) {
    assert.ok(i < 1000, `never settles: ${[...pending.values()]}`);
    await turn();
  }
  assert.equal(client.openSockets.length, 0, "sockets are left");
  return { violations };
}

function checkMemory(client) {
  const total = client.openSockets.reduce((sum, { kind, waitingBytes, held }) => sum + (kind === "accepted" ? waitingBytes : kind === "listener" ? held : 0), 0);
  assert.ok(total <= MOST_LINKS * (129 << 20), `connections hold ${total} bytes`);
  assert.ok(client.openSockets.reduce((sum, { waitingAccepts }) => sum + waitingAccepts, 0) <= MOST_LINKS * 256);
  for (const socket of client.openSockets) {
    const most = socket.kind === "listener" || client.version === 1 ? 65 << 20 : MOST_HELD;
    assert.ok(socket.held <= most, `${socket.kind} holds ${socket.held} bytes`);
  }
}

/** One action of a program. */
function use(client, random, expect) {
  const sockets = [...client.sockets.values()];
  const socket = sockets.length ? random.pick(sockets) : null;
  switch (random.below(14)) {
    case 0: return expect(client.ready(), "ready");
    case 1: return expect(client.resolve("a.test"), "resolve");
    case 2: return expect(client[random.pick(["connect", "connectTls", "connectUdp"])]("a.test", 80), "connect");
    case 3: return expect(client[random.pick(["bind", "bindUdp"])]("127.0.0.1", 0), "bind");
    case 4: return useStreams(client.open("a.test:80", { allowHalfOpen: random.chance(2) }), random, expect);
    case 5: return useStreams(client.openUdp("a.test:53"), random, expect);
    case 6: {
      const listener = client.listenOn("127.0.0.1:0");
      expect(listener.opened, "listener.opened");
      expect((async () => { for await (const connection of listener) useStreams(connection, random, expect); })(), "accepting");
      return;
    }
    case 7: return socket && client.onData(socket.id, () => {});
    case 8: return socket && client.onAccept(socket.id, (id) => { if (random.chance(2)) client.onData(id, () => {}); });
    case 9: return socket && !/listener/.test(socket.kind) && send(client, socket, random.bytes(random.pick([0, 10, 3000])));
    case 10: return socket && client.close(socket.id);
    case 11: return socket?.kind === "listener" && client.listen(socket.id);
    case 12: return socket && client.onDataFrom(socket.id, () => {});
    default: return socket && client.onClose(socket.id, () => {});
  }
}

function send(client, socket, data) {
  try {
    client.send(socket.id, data);
  } catch (error) {
    // If the node accepts only small messages.
    assert.equal(`${socket.isDatagram} ${error.code}`, "true message_too_large", error.stack);
  }
}

function useStreams(connection, random, expect) {
  expect(connection.opened, "opened");
  expect(connection.closed, "closed");
  const reads = random.below(6);
  if (reads > 0) {
    expect((async () => {
      let count = 0;
      for await (const chunk of connection.readable) if (chunk && ++count === reads && reads < 5) break;
    })(), "reading");
  }
  const writer = connection.writable.getWriter();
  expect(writer.closed, "writer.closed");
  for (let i = random.below(4); i > 0; i--) expect(writer.write(random.bytes(random.pick([0, 1, 1000, 30000]))), "write");
  if (random.chance(2)) expect(writer.close(), "writer.close");
  if (random.chance(5)) expect(connection.close(), "close");
}

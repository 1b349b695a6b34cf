// Much data: complete and in order, at the reader's pace, without blocking another socket.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LANGUAGES, connectClient, echo, startNode, startTarget, within } from "./support.js";

const MIB = 1 << 20;
const LIMIT = { timeout: 240000 };

let node;
const nodeLife = { ends: [], after(end) { this.ends.push(end); } };
before(async () => { node = await startNode(nodeLife); });
test.after(async () => { for (const end of nodeLife.ends) await end(); });

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** Bytes in use after garbage collection; the second round collects what the first one's finalizers release. */
function memoryInUse() {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes without short repetitions, so that a lost, duplicated or swapped piece is detected. */
function noise(length, seed) {
  const words = new Uint32Array(length / 4);
  let word = seed;
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13; word ^= word >>> 17; word ^= word << 5;
    words[i] = word;
  }
  return new Uint8Array(words.buffer);
}

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

/** Sends `body` and receives, each with its SHA-256: answers "hash\n" of its input after its end of file. */
function exchange(body) {
  return (socket) => {
    const hash = createHash("sha256");
    socket.on("data", (data) => hash.update(data));
    socket.on("end", () => socket.end(hash.digest()));
    socket.write(body);
  };
}

test("64 MiB each way at once over v2, with SHA-256", LIMIT, async (t) => {
  const [down, up] = [noise(64 * MIB, 1), noise(64 * MIB, 2)];
  const target = await startTarget(t, exchange(down));
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  const writing = (async () => {
    const writer = connection.writable.getWriter();
    for (let at = 0; at < up.length; at += 100000) await writer.write(up.subarray(at, at + 100000));
    await writer.close();
  })();
  const hash = createHash("sha256");
  let count = 0;
  let tail = Buffer.alloc(0);
  for await (const chunk of connection.readable) {
    count += chunk.length;
    tail = Buffer.concat([tail, chunk]);
    // The last 32 bytes are the target's own hash of its input.
    hash.update(tail.subarray(0, Math.max(0, tail.length - 32)));
    tail = tail.subarray(Math.max(0, tail.length - 32));
  }
  await writing;
  assert.equal(count, 64 * MIB + 32);
  assert.equal(hash.digest("hex"), sha256(down));
  assert.equal(tail.toString("hex"), sha256(up));
});

for (const language of ["v1 JSON", "v1 binary"]) {
  test(`16 MiB each way over ${language}`, LIMIT, async (t) => {
    const body = noise(16 * MIB, 3);
    const target = await startTarget(t, echo);
    const client = connectClient(t, node.url, LANGUAGES[language]);
    const id = await client.connect("127.0.0.1", target.port);
    const hash = createHash("sha256");
    let count = 0;
    const done = new Promise((resolve) => client.onData(id, (data) => {
      hash.update(data);
      count += data.length;
      if (count === body.length) resolve();
    }));
    client.send(id, body);
    await within(120000, done, "the echo");
    assert.equal(hash.digest("hex"), sha256(body));
  });
}

test("a program that does not read stops its own socket only, and memory stays bounded", LIMIT, async (t) => {
  const counts = { flood: 0 };
  const flood = await startTarget(t, (socket) => {
    const chunk = Buffer.alloc(65536, 1);
    const pump = () => { do { counts.flood += chunk.length; } while (!socket.destroyed && socket.write(chunk)); };
    socket.on("drain", pump);
    pump();
  });
  const body = noise(8 * MIB, 4);
  const other = await startTarget(t, (socket) => socket.end(body));
  const client = connectClient(t, node.url);
  const stalled = client.open(`127.0.0.1:${flood.port}`);
  await stalled.opened;
  // Full: the socket waits with one window and no more data arrives.
  await within(20000, (async () => { while (stalled.socket.waitingBytes < client.terms.window) await new Promise((r) => setTimeout(r, 5)); })(), "a window");
  const before = memoryInUse();
  for (let round = 0; round < 8; round++) {
    const connection = client.open(`127.0.0.1:${other.port}`);
    let count = 0;
    for await (const chunk of connection.readable) count += chunk.length;
    assert.equal(count, body.length);
    await connection.close();
  }
  assert.equal(stalled.socket.waitingBytes, client.terms.window, "not a byte more than was granted");
  // And the flood's own side is stopped, except for the kernels' buffers.
  assert.ok(counts.flood < 32 * MIB, `${counts.flood} bytes were taken from the target`);
  const reader = stalled.readable.getReader();
  let read = 0;
  while (read < 4 * MIB) read += (await reader.read()).value.length;
  const growth = memoryInUse() - before;
  t.diagnostic(`64 MiB beside a stalled socket; growth ${(growth / MIB).toFixed(1)} MiB`);
  assert.ok(growth < 8 * MIB, `grew by ${growth} bytes`);
  stalled.reset();
});

test("a target that does not read holds its writer back", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => { socket.pause(); });
  const client = connectClient(t, node.url);
  const connection = client.open(`127.0.0.1:${target.port}`);
  await connection.opened;
  const writer = connection.writable.getWriter();
  const chunk = new Uint8Array(MIB);
  let written = 0;
  const stuck = (async () => { for (;;) { await writer.write(chunk); written++; } })().catch(() => {});
  // It stops once the kernels and the window are full: a second socket's echo passes all the while.
  const other = await startTarget(t, echo);
  const id = await client.connect("127.0.0.1", other.port);
  let still = 0;
  for (let last = -1; still < 20; still = written === last ? still + 1 : 0, last = written) {
    const answer = new Promise((resolve) => client.onData(id, resolve));
    client.send(id, "x");
    await within(10000, answer, "the echo");
  }
  assert.ok(written < 64, `${written} MiB were taken`);
  assert.ok(connection.socket.queued === 0 && connection.socket.sendable === 0);
  assert.ok(client.ws.bufferedAmount < 4 * MIB);
  const socket = await target.connection();
  const goal = written + 8;
  let received = 0;
  socket.on("data", (data) => { received += data.length; });
  socket.resume();
  await within(30000, (async () => { while (written < goal) await new Promise((r) => setTimeout(r, 5)); })(), "more writes");
  connection.reset();
  await stuck;
});

test("several uploads share the WebSocket, and a small message is not behind them all", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => socket.resume());
  const other = await startTarget(t, echo);
  const client = connectClient(t, node.url);
  const chunk = new Uint8Array(256 << 10);
  const uploads = Array.from({ length: 4 }, () => client.open(`127.0.0.1:${target.port}`));
  let isOver = false;
  const counts = uploads.map(() => 0);
  const running = uploads.map(async (connection, i) => {
    const writer = connection.writable.getWriter();
    while (!isOver) {
      await writer.write(chunk);
      counts[i] += chunk.length;
    }
    await connection.close();
  });
  const id = await client.connect("127.0.0.1", other.port);
  for (let i = 0; i < 50; i++) {
    const answer = new Promise((resolve) => client.onData(id, resolve));
    client.send(id, "x");
    await within(10000, answer, "a keystroke's echo");
  }
  await within(60000, (async () => { while (Math.min(...counts) < 16 * MIB) await new Promise((r) => setTimeout(r, 5)); })(), "16 MiB of each");
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  isOver = true;
  await Promise.all(running);
  assert.ok(most < 3 * least, `shares from ${least} to ${most}`);
});

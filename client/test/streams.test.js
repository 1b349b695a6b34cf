// Streams over v2, against a real node: reading, writing, and how a connection ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connectClient, echo, nodeOfFile, readAll, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const text = (bytes) => Buffer.from(bytes).toString();
const node = nodeOfFile();

test("open, write, half-close, read to the end", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => {
    const parts = [];
    socket.on("data", (data) => parts.push(data));
    // Answers only once the client has sent everything.
    socket.on("end", () => socket.end(`got ${Buffer.concat(parts)}`));
  });
  const client = connectClient(t, node.url);
  const connection = client.open({ hostname: "127.0.0.1", port: target.port });
  const info = await connection.opened;
  assert.deepEqual([info.remoteAddress, info.remotePort, info.localAddress, info.alpn], ["127.0.0.1", target.port, "0.0.0.0", null]);
  assert.ok(info.localPort > 0);
  const writer = connection.writable.getWriter();
  await writer.write("question ");
  await writer.write(new Uint8Array([0x21]));
  await writer.close();
  assert.equal(text(await readAll(connection.readable)), "got question !");
  assert.deepEqual(await within(5000, connection.closed, "the end"), { code: "normal", message: "normal" });
});

test("writes before it is open are kept in order", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  const writer = connection.writable.getWriter();
  for (const word of ["a", "b", "c"]) writer.write(word);
  writer.close();
  assert.equal(text(await readAll(connection.readable)), "abc");
});

test("what was given to be written before the target's end goes out", LIMIT, async (t) => {
  const parts = [];
  let heard;
  const all = new Promise((resolve) => { heard = resolve; });
  const target = await startTarget(t, (socket) => {
    socket.end("bye");
    // Accepts nothing until the client knows about the end.
    t.resume = () => socket.on("data", (data) => parts.push(data)).on("end", heard);
  });
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  const writer = connection.writable.getWriter();
  const writes = Array.from({ length: 100 }, () => writer.write(new Uint8Array(100000)));
  assert.equal(text(await readAll(connection.readable)), "bye");
  t.resume();
  await within(20000, Promise.all(writes), "the writes");
  await within(20000, all, "the client's end");
  assert.equal(Buffer.concat(parts).length, 10000000);
  assert.equal((await within(5000, connection.closed, "the end")).code, "normal");
});

test("the target's end ends the writable, unless it may be half open", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => {
    socket.end("bye");
    socket.on("data", () => {});
  });
  const client = connectClient(t, node.url);
  const plain = client.open(`127.0.0.1:${target.port}`);
  assert.equal(text(await readAll(plain.readable)), "bye");
  await within(5000, plain.closed, "the end");
  await assert.rejects(plain.writable.getWriter().write("x"), { code: "normal" });

  const half = client.open(`127.0.0.1:${target.port}`, { allowHalfOpen: true });
  assert.equal(text(await readAll(half.readable)), "bye");
  const writer = half.writable.getWriter();
  await writer.write("still here");
  assert.equal(half.socket.state, "open");
  await writer.close();
  assert.equal((await within(5000, half.closed, "the end")).code, "normal");
});

test("a target that breaks off: what it sent is read, then the code", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => socket.write("half a", () => socket.once("data", () => socket.resetAndDestroy())));
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  const reader = connection.readable.getReader();
  assert.equal(text((await reader.read()).value), "half a");
  await connection.writable.getWriter().write("go");
  await assert.rejects(reader.read(), { name: "WasmnetError", code: "target_reset" });
  await assert.rejects(connection.closed, { code: "target_reset" });
});

test("reset reaches the target as one", LIMIT, async (t) => {
  const target = await startTarget(t, () => {});
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  await connection.opened;
  const socket = await target.connection();
  socket.resume();
  connection.reset();
  await assert.rejects(within(5000, once(socket, "close"), "the target's end"), { code: "ECONNRESET" });
  assert.equal((await connection.closed).code, "client_closed");
});

test("close sends what was written and ends both directions", LIMIT, async (t) => {
  const parts = [];
  const target = await startTarget(t, (socket) => { socket.on("data", (data) => parts.push(data)); socket.on("end", () => socket.end()); });
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  await connection.opened;
  const socket = await target.connection();
  const targetClosed = once(socket, "close");
  await connection.writable.getWriter().write(new Uint8Array(100000));
  await within(5000, connection.close(), "close");
  await within(5000, targetClosed, "the target's end");
  assert.equal(Buffer.concat(parts).length, 100000);
  assert.equal((await connection.closed).code, "client_closed");
});

test("IPv6", LIMIT, async (t) => {
  const target = await startTarget(t, echo, { host: "::1" });
  const connection = connectClient(t, node.url).open({ hostname: "::1", port: target.port });
  const { remoteAddress, remotePort } = await connection.opened;
  assert.deepEqual([remoteAddress, remotePort], ["::1", target.port]);
  const bracketed = connectClient(t, node.url).open(`[::1]:${target.port}`);
  await bracketed.opened;
});

test("what is piped through arrives as it was sent", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  const source = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 200; i++) controller.enqueue(new Uint8Array(10000).fill(i));
      controller.close();
    },
  });
  const [, received] = await within(30000, Promise.all([source.pipeTo(connection.writable), readAll(connection.readable)]), "the pipe");
  assert.equal(received.length, 2000000);
  for (let i = 0; i < 200; i++) assert.ok(received.subarray(i * 10000, (i + 1) * 10000).every((byte) => byte === i));
});

// Readables that are cancelled or left: the reading side ends, the writing side continues.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient, nodeOfFile, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const node = nodeOfFile();

/** Sends without pause to every client. */
function flood(socket) {
  const chunk = Buffer.alloc(65536, "x");
  const pump = () => { while (!socket.destroyed && socket.write(chunk)); };
  socket.on("drain", pump);
  pump();
}

test("a cancelled readable lets the writable go on; both done is the end", LIMIT, async (t) => {
  const parts = [];
  const target = await startTarget(t, (socket) => {
    socket.on("data", (data) => parts.push(data));
    flood(socket);
  });
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  await connection.opened;
  await connection.readable.cancel();
  const writer = connection.writable.getWriter();
  for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(50000));
  await writer.close();
  await within(10000, connection.closed, "the end");
  await within(10000, (async () => { while (target.connections.size) await new Promise((r) => setTimeout(r, 5)); })(), "the target's end");
  assert.equal(Buffer.concat(parts).length, 1000000);
});

for (const [language, options] of Object.entries({ v2: {}, "v1 JSON": { protocol: "v1" } })) {
  test(`leaving a loop over readable ends the reading side; with the writable closed too the connection ends (${language})`, LIMIT, async (t) => {
    const parts = [];
    let taken;
    const all = new Promise((resolve) => { taken = resolve; });
    const target = await startTarget(t, (socket) => {
      flood(socket);
      socket.on("data", (data) => { if (parts.push(data) && Buffer.concat(parts).length === 300000) taken(); });
    });
    const client = connectClient(t, node.url, options);
    const connection = client.open(`127.0.0.1:${target.port}`);
    for await (const chunk of connection.readable) if (chunk) break;
    const { socket } = connection;
    const before = socket.bytesDown;
    const writer = connection.writable.getWriter();
    await writer.write(new Uint8Array(200000));
    // Only data within the node's credit arrives: the answers to these follow it.
    for (let i = 0; i < 50; i++) await client.resolve("127.0.0.1");
    if (language === "v2") assert.ok(socket.bytesDown <= client.terms.window, `${socket.bytesDown} bytes, ${before} before`);
    assert.equal(socket.waitingBytes, 0);
    await writer.write(new Uint8Array(100000));
    await within(5000, all, "what was written");
    await writer.close();
    assert.equal((await within(5000, connection.closed, "the end")).code, "client_closed");
    assert.equal(client.openSockets.length, 0);
  });
}

test("the reading side may be kept by preventCancel, or ended after the writing side", LIMIT, async (t) => {
  const target = await startTarget(t, flood);
  const client = connectClient(t, node.url);
  const kept = client.open(`127.0.0.1:${target.port}`);
  for await (const chunk of kept.readable.values({ preventCancel: true })) if (chunk) break;
  let count = 0;
  for await (const { length } of kept.readable) if ((count += length) > 4 << 20) break;
  await kept.close();
  const shut = client.open(`127.0.0.1:${target.port}`);
  await shut.writable.close();
  for await (const chunk of shut.readable) if (chunk) break;
  assert.equal((await within(5000, shut.closed, "the end")).code, "client_closed");
});

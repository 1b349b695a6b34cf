// UDP as streams of datagrams, against a real node.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { connectClient, nodeOfFile, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const text = (bytes) => Buffer.from(bytes).toString();
const node = nodeOfFile();

/** A server on loopback that records datagrams, and answers them. */
async function startServer(t, answerTo) {
  const server = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const heard = [];
  server.on("message", (data, { port }) => {
    heard.push(data);
    server.send(answerTo(data), port, "127.0.0.1");
  });
  return { port: server.address().port, heard, server };
}

test("UDP as streams", LIMIT, async (t) => {
  const { port } = await startServer(t, (data) => `re:${data}`);
  const client = connectClient(t, node.url);

  const peer = client.openUdp({ hostname: "127.0.0.1", port });
  const [writer, reader] = [peer.writable.getWriter(), peer.readable.getReader()];
  await writer.write("a");
  const { value } = await within(5000, reader.read(), "a datagram");
  assert.deepEqual([text(value.data), value.remoteAddress, value.remotePort], ["re:a", "127.0.0.1", port]);
  const pending = reader.read();
  await peer.close();
  assert.equal((await pending).done, true);

  const bound = client.listenUdp("127.0.0.1:0");
  const { localPort } = await bound.opened;
  assert.ok(localPort > 0);
  await bound.writable.getWriter().write({ data: "b", remoteAddress: "127.0.0.1", remotePort: port });
  assert.equal(text((await within(5000, bound.readable.getReader().read(), "a datagram")).value.data), "re:b");
  await bound.close();
});

test("a datagram that cannot be sent is an error of the datagram, not the socket's end", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const errors = [];
  const opened = new Promise((resolve, reject) => {
    const socket = client.socket("udp-listener", "127.0.0.1", 0, {
      onopen: resolve, onclosed: reject, onerror: (error) => errors.push(error.code),
    });
  });
  const socket = await within(5000, opened, "the socket");
  socket.sendTo("192.0.2.1", 53, "x");
  assert.throws(() => socket.send("without a peer"), { code: "invalid_argument" });
  socket.sendTo("b\u00fccher.example", 53, "x");
  await within(5000, (async () => { while (errors.length < 2) await new Promise((r) => setTimeout(r, 5)); })(), "errors");
  assert.deepEqual(errors.sort(), ["policy_denied", "protocol_error"]);
  assert.equal(socket.dropped, 2, "what the node refuses is lost too");
  assert.throws(() => socket.sendTo("127.0.0.1", 53, new Uint8Array(65508)), { code: "message_too_large" });
  assert.equal(socket.dropped, 3);
  assert.equal(socket.state, "open");
});

test("a datagram before there is a WebSocket is dropped and counted; one that is far too large is told so", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const socket = client.socket("udp", "127.0.0.1", 9);
  socket.send("x");
  assert.equal(socket.dropped, 1);
  for (const size of [65508, 200000]) assert.throws(() => socket.send(new Uint8Array(size)), { code: "message_too_large" });
  assert.equal(socket.dropped, 3);
});

test("a datagram that is too large rejects and is counted; the largest arrives; reading goes on", LIMIT, async (t) => {
  const { port, heard } = await startServer(t, () => "got it");
  for (const options of [{}, { protocol: "v1" }, { protocol: "v1", binary: true }]) {
    const client = connectClient(t, node.url, options);
    const udp = client.openUdp({ hostname: "127.0.0.1", port });
    const writer = udp.writable.getWriter();
    await writer.write(new Uint8Array(65507));
    const { value } = await within(5000, udp.readable.getReader().read(), "an answer");
    assert.equal(text(value.data), "got it");
    for (const datagram of [new Uint8Array(65508), { data: new Uint8Array(70000), remoteAddress: "127.0.0.1", remotePort: 9 }]) {
      const other = client.openUdp({ hostname: "127.0.0.1", port });
      await assert.rejects(other.writable.getWriter().write(datagram), { code: "message_too_large", message: /^a datagram of \d+ bytes/ });
      assert.equal(other.socket.dropped, 1);
      assert.equal(other.socket.state, "open");
    }
  }
  assert.deepEqual(heard.map(({ length }) => length), [65507, 65507, 65507]);
});

test("a write without an address on a socket without a peer rejects; one that the node refuses is counted", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  for (const datagram of ["x", { data: "x" }, null, {}]) {
    const bound = client.listenUdp("127.0.0.1:0");
    await assert.rejects(bound.writable.getWriter().write(datagram), { code: "invalid_argument" });
    await bound.close();
    assert.equal((await within(5000, bound.closed, "the end")).code, "client_closed");
  }
  const bound = client.listenUdp("127.0.0.1:0");
  const refused = new Promise((resolve) => { bound.socket.onerror = resolve; });
  await bound.writable.getWriter().write({ data: "x", remoteAddress: "192.0.2.1", remotePort: 53 });
  assert.equal((await within(5000, refused, "the refusal")).code, "policy_denied");
  assert.equal(bound.socket.dropped, 1);
  await bound.close();
  assert.deepEqual(client.openSockets, []);
});

test("leaving a loop over datagrams ends the reading side alone", LIMIT, async (t) => {
  const { port, heard, server } = await startServer(t, (data) => data);
  const udp = connectClient(t, node.url).openUdp({ hostname: "127.0.0.1", port });
  const writer = udp.writable.getWriter();
  await writer.write("one");
  for await (const { data } of udp.readable) if (data) break;
  const two = once(server, "message");
  await writer.write("two");
  await within(5000, two, "the second datagram");
  assert.deepEqual(heard.map(String), ["one", "two"]);
  await writer.close();
  assert.equal((await within(5000, udp.closed, "the end")).code, "client_closed");
});

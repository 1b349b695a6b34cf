// Streams, half-close, reset, abort, listeners, UDP and TLS over v2, against a real node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import tls from "node:tls";
import { connectClient, echo, readAll, startNode, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const text = (bytes) => Buffer.from(bytes).toString();

let node;
let authority;
const nodeLife = { ends: [], after(end) { this.ends.push(end); } };
before(async () => {
  const directory = mkdtempSync(join(tmpdir(), "wasmnet-ca-"));
  nodeLife.after(() => rmSync(directory, { recursive: true, force: true }));
  authority = makeAuthority(directory);
  node = await startNode(nodeLife, { args: ["--ca-file", authority.certificate] });
});
test.after(async () => { for (const end of nodeLife.ends.reverse()) await end(); });

/** An authority and a certificate of its for localhost. */
function makeAuthority(directory) {
  const path = (name) => join(directory, name);
  const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path("ca.key"),
    "-out", path("ca.pem"), "-days", "2", "-subj", "/CN=test authority");
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path("leaf.key"),
    "-out", path("leaf.csr"), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost");
  openssl("x509", "-req", "-in", path("leaf.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
    "-out", path("leaf.pem"), "-days", "2", "-copy_extensions", "copy");
  return { certificate: path("ca.pem"), key: readFileSync(path("leaf.key")), cert: readFileSync(path("leaf.pem")) };
}

test("open, write, half-close, read to the end", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => {
    const parts = [];
    socket.on("data", (data) => parts.push(data));
    // Answers only once the client has said all it has to say.
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
    // Takes nothing until the client knows of the end.
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

test("failures to open reject opened and closed and error the streams", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const denied = client.open("192.0.2.1:80");
  for (const promise of [denied.opened, denied.closed, denied.readable.getReader().read(), denied.writable.getWriter().closed]) {
    await assert.rejects(promise, { code: "policy_denied" });
  }
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  await assert.rejects(client.open({ hostname: "127.0.0.1", port }).opened, { code: "refused" });
  await assert.rejects(client.open("no-such-name.invalid:80").opened, ({ code }) => ["policy_denied", "name_not_found"].includes(code));
});

test("abort before, while and after opening, with the program's own reason", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const client = connectClient(t, node.url);
  await client.ready();
  const reason = new Error("no longer wanted");
  const to = `127.0.0.1:${target.port}`;

  const before = client.open(to, { signal: AbortSignal.abort(reason) });
  await assert.rejects(before.opened, reason);

  const controller = new AbortController();
  const during = client.open(to, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(during.opened, reason);
  await assert.rejects(during.readable.getReader().read(), reason);

  const late = new AbortController();
  const after = client.open(to, { signal: late.signal });
  await after.opened;
  const pending = after.readable.getReader().read();
  late.abort(reason);
  await assert.rejects(pending, reason);
  await assert.rejects(after.writable.getWriter().write("x"), reason);
  await assert.rejects(after.closed, reason);

  const lookup = new AbortController();
  const resolving = client.resolve("localhost", { signal: lookup.signal });
  lookup.abort(reason);
  await assert.rejects(resolving, reason);
  await assert.rejects(client.resolve("localhost", { signal: AbortSignal.abort(reason) }), reason);

  // Aborting what is over does nothing.
  const done = client.open(to, { signal: controller.signal.aborted ? undefined : controller.signal });
  await done.opened;
  await done.close();
  assert.equal(client.openSockets.length, 0);
});

test("a cancelled readable lets the writable go on; both done is the end", LIMIT, async (t) => {
  const parts = [];
  const target = await startTarget(t, (socket) => {
    socket.on("data", (data) => parts.push(data));
    const flood = () => { while (!socket.destroyed && socket.write(Buffer.alloc(65536))); };
    socket.on("drain", flood);
    flood();
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

test("an aborted writable resets", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => socket.resume());
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  await connection.opened;
  await connection.writable.abort(new Error("stop"));
  assert.equal((await connection.closed).code, "client_closed");
});

test("a listener is iterated, and leaving the loop closes it", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const listener = client.listenOn({ hostname: "127.0.0.1", port: 0 });
  const { localPort } = await listener.opened;
  const dial = async (word) => {
    const peer = net.connect(localPort, "127.0.0.1");
    peer.end(word);
    const parts = [];
    for await (const part of peer) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const answers = Promise.all(["one", "two", "three"].map(dial));
  let count = 0;
  for await (const connection of listener) {
    const { remoteAddress, remotePort } = await within(5000, connection.opened, "an accepted connection");
    assert.equal(remoteAddress, "127.0.0.1");
    assert.ok(remotePort > 0);
    const writer = connection.writable.getWriter();
    await writer.write(`<${text(await readAll(connection.readable))}>`);
    await writer.close();
    if (++count === 3) break;
  }
  assert.deepEqual((await answers).sort(), ["<one>", "<three>", "<two>"]);
  assert.equal((await listener.closed).code, "client_closed");
  assert.equal(await listener.accept(), null);
  await assert.rejects(dial("late"), { code: "ECONNREFUSED" });
});

test("accept waits, and a closed listener answers null to who waits", LIMIT, async (t) => {
  const listener = connectClient(t, node.url).listenOn("127.0.0.1:0");
  await listener.opened;
  const [first, second] = [listener.accept(), listener.accept()];
  await listener.close();
  assert.deepEqual([await first, await second], [null, null]);
  const denied = connectClient(t, node.url).listenOn("127.0.0.1:80");
  await assert.rejects(denied.accept(), { code: "policy_denied" });
  await assert.rejects(denied.opened, { code: "policy_denied" });
});

test("UDP as streams", LIMIT, async (t) => {
  const server = dgram.createSocket("udp4");
  t.after(() => server.close());
  server.on("message", (data, { port }) => server.send(`re:${data}`, port, "127.0.0.1"));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
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
  socket.send("without a peer");
  await within(5000, (async () => { while (errors.length < 2) await new Promise((r) => setTimeout(r, 5)); })(), "errors");
  assert.deepEqual(errors.sort(), ["policy_denied", "protocol_error"]);
  assert.throws(() => socket.sendTo("127.0.0.1", 53, new Uint8Array(65508)), { code: "message_too_large" });
  assert.equal(socket.dropped, 1);
  assert.equal(socket.state, "open");
});

test("TLS that the node speaks", LIMIT, async (t) => {
  const { key, cert } = authority;
  const target = await startTarget(t, echo, { host: "localhost", createServer: (options, on) => tls.createServer({ ...options, key, cert }, on) });
  const client = connectClient(t, node.url);
  const connection = client.open({ hostname: "localhost", port: target.port }, { tls: true });
  await connection.opened;
  const writer = connection.writable.getWriter();
  await writer.write("secret");
  const reader = connection.readable.getReader();
  assert.equal(text((await reader.read()).value), "secret");
  await connection.close();

  const id = await client.connectTls("localhost", target.port);
  client.send(id, "old");
  const data = await within(5000, new Promise((resolve) => client.onData(id, resolve)), "data");
  assert.equal(text(data), "old");

  // Its name is not 127.0.0.1 (to a session that has not looked it up), and a plain server speaks no TLS.
  await assert.rejects(connectClient(t, node.url).connectTls("127.0.0.1", target.port), { code: "tls_failed" });
  const plain = await startTarget(t, (socket) => socket.end("no TLS here\r\n"));
  await assert.rejects(client.open(`localhost:${plain.port}`, { transport: "tls" }).opened, { code: "tls_failed" });
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

/** Sends without pause to all who dial in. */
function flood(socket) {
  const chunk = Buffer.alloc(65536, "x");
  const pump = () => { while (!socket.destroyed && socket.write(chunk)); };
  socket.on("drain", pump);
  pump();
}

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
    // What the node had credit for is all that comes: the answers to these come behind it.
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

test("what is written to a target that is refused rejects, and so does the close behind it", LIMIT, async (t) => {
  const free = await new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  for (const options of [{}, { protocol: "v1" }]) {
    const client = connectClient(t, node.url, options);
    for (const [to, code] of [[`127.0.0.1:${free}`, "refused"], ["192.0.2.1:80", "policy_denied"]]) {
      const written = client.open(to).writable.getWriter();
      await assert.rejects(written.write("GET / HTTP/1.0\r\n\r\n"), { code });
      const empty = client.open(to).writable.getWriter();
      await assert.rejects(empty.write(new Uint8Array()), { code });
      await assert.rejects(client.open(to).writable.close(), { code });
      await assert.rejects(new Blob(["x"]).stream().pipeTo(client.open(to).writable), { code });
    }
    await assert.rejects(client.openUdp("192.0.2.1:53").writable.getWriter().write("x"), { code: "policy_denied" });
    await assert.rejects(client.listenUdp("192.0.2.1:53").writable.close(), { code: "policy_denied" });
  }
});

test("a datagram that is too large rejects and is counted; the largest arrives; reading goes on", LIMIT, async (t) => {
  const server = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const lengths = [];
  server.on("message", (data, { port }) => {
    lengths.push(data.length);
    server.send("got it", port, "127.0.0.1");
  });
  for (const options of [{}, { protocol: "v1" }, { protocol: "v1", binary: true }]) {
    const client = connectClient(t, node.url, options);
    const udp = client.openUdp({ hostname: "127.0.0.1", port: server.address().port });
    const writer = udp.writable.getWriter();
    await writer.write(new Uint8Array(65507));
    const { value } = await within(5000, udp.readable.getReader().read(), "an answer");
    assert.equal(text(value.data), "got it");
    for (const datagram of [new Uint8Array(65508), { data: new Uint8Array(70000), remoteAddress: "127.0.0.1", remotePort: 9 }]) {
      const other = client.openUdp({ hostname: "127.0.0.1", port: server.address().port });
      await assert.rejects(other.writable.getWriter().write(datagram), { code: "message_too_large", message: /^a datagram of \d+ bytes/ });
      assert.equal(other.socket.dropped, 1);
      assert.equal(other.socket.state, "open");
    }
  }
  assert.deepEqual(lengths, [65507, 65507, 65507]);
});

test("leaving a loop over datagrams ends the reading side alone", LIMIT, async (t) => {
  const server = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const heard = [];
  server.on("message", (data, { port }) => {
    heard.push(String(data));
    server.emit("heard");
    server.send(data, port, "127.0.0.1");
  });
  const udp = connectClient(t, node.url).openUdp({ hostname: "127.0.0.1", port: server.address().port });
  const writer = udp.writable.getWriter();
  await writer.write("one");
  for await (const { data } of udp.readable) if (data) break;
  const two = once(server, "heard");
  await writer.write("two");
  await within(5000, two, "the second datagram");
  assert.deepEqual(heard, ["one", "two"]);
  await writer.close();
  assert.equal((await within(5000, udp.closed, "the end")).code, "client_closed");
});

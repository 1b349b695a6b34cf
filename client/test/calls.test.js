// The calls by number, as existing programs make them, against a real node: in v1 both encodings, and in v2.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { before, test } from "node:test";
import { LANGUAGES, LOOPBACK, collect, connectClient, echo, firstBytes, startNode, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const CALLS = Object.entries(LANGUAGES);

// One node for the file; each test has its own session.
let node;
const nodeLife = { ends: [], after(end) { this.ends.push(end); } };
before(async () => { node = await startNode(nodeLife); });
test.after(async () => { for (const end of nodeLife.ends) await end(); });

function inEach(name, work) {
  for (const [language, options] of CALLS) {
    test(`${name} (${language})`, LIMIT, async (t) => {
      const client = connectClient(t, node.url, options);
      await client.ready();
      assert.equal(client.version, language === "v2" ? 2 : 1);
      await work(t, client, language);
    });
  }
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

inEach("connect, send, receive, close", async (t, client) => {
  const target = await startTarget(t, echo);
  const id = await client.connect("127.0.0.1", target.port);
  assert.equal(typeof id, "number");
  client.send(id, "GET / HTTP/1.0\r\n");
  client.send(id, new Uint8Array([0, 255]));
  client.send(id, new Uint8Array([1, 2]).buffer);
  assert.equal(await firstBytes(client, id, 20), "GET / HTTP/1.0\r\n\u0000\u00ff\u0001\u0002");
  const socket = await target.connection();
  client.close(id);
  await within(5000, once(socket, "close"), "the target's end");
});

inEach("a string is bytes, or UTF-8 with {binary: true}", async (t, client, language) => {
  const target = await startTarget(t, echo);
  const id = await client.connect("127.0.0.1", target.port);
  client.send(id, "\u00e9!");
  assert.equal(await firstBytes(client, id, 2), language === "v1 binary" ? "\u00c3\u00a9!" : "\u00e9!");
  if (language !== "v1 binary") assert.throws(() => client.send(id, "\u20ac"), { code: "invalid_argument" });
});

inEach("data that comes before onData is kept", async (t, client) => {
  const target = await startTarget(t, (socket) => { for (const word of ["early ", "bird "]) socket.write(word); });
  const id = await client.connect("127.0.0.1", target.port);
  const socket = client.sockets.get(id);
  await within(5000, (async () => { while (socket.waitingBytes < 11) await new Promise((r) => setTimeout(r, 5)); })(), "data");
  assert.equal(await firstBytes(client, id, 11), "early bird ");
});

inEach("data and end that came before any callback", async (t, client) => {
  const target = await startTarget(t, (socket) => socket.end("all of it"));
  const id = await client.connect("127.0.0.1", target.port);
  const socket = client.sockets.get(id);
  await within(5000, (async () => { while (!socket.ending) await new Promise((r) => setTimeout(r, 5)); })(), "the end");
  assert.equal((await collect(client, id)).toString(), "all of it");
});

inEach("the target's end closes the socket, after its data", async (t, client) => {
  const body = Buffer.alloc(300000, "x");
  const target = await startTarget(t, (socket) => socket.end(body));
  const id = await client.connect("127.0.0.1", target.port);
  assert.ok((await collect(client, id)).equals(body));
  client.send(id, "into the void");
  client.close(id);
});

inEach("what was sent before the target's end still arrives", async (t, client) => {
  const target = await startTarget(t, (socket) => socket.pause());
  const id = await client.connect("127.0.0.1", target.port);
  const socket = await target.connection();
  const body = Buffer.alloc(200000, "z");
  client.send(id, body);
  // Requests are handled in order: this answer proves that the node has received all.
  await client.resolve("127.0.0.1");
  socket.end("bye");
  assert.equal((await collect(client, id)).toString(), "bye");
  client.send(id, "too late, and no error");
  const parts = [];
  for await (const part of socket) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(body));
});

inEach("sends that cross the target's end are no errors", async (t, client) => {
  const target = await startTarget(t, (socket) => { socket.end("x"); socket.resume(); });
  await Promise.all(Array.from({ length: 20 }, async () => {
    const id = await client.connect("127.0.0.1", target.port);
    const ended = collect(client, id);
    for (let i = 0; i < 5; i++) {
      client.send(id, "crossing");
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await ended).toString(), "x");
  }));
});

inEach("send, then close at once: the bytes go out", async (t, client) => {
  const received = new Promise((resolve) => {
    t.target = startTarget(t, (socket) => {
      const parts = [];
      socket.on("data", (data) => parts.push(data));
      socket.on("end", () => { resolve(Buffer.concat(parts)); socket.end(); });
    });
  });
  const id = await client.connect("127.0.0.1", (await t.target).port);
  const body = Buffer.alloc(1 << 20, "y");
  client.send(id, body);
  client.onClose(id, () => assert.fail("a closed socket's callbacks are called no more"));
  client.close(id);
  assert.ok((await within(20000, received, "the upload")).equals(body));
});

inEach("close races with the target's end", async (t, client) => {
  const target = await startTarget(t, (socket) => { socket.end("x"); });
  for (let i = 0; i < 20; i++) {
    const id = await client.connect("127.0.0.1", target.port);
    if (i % 2) await new Promise((resolve) => setImmediate(resolve));
    client.close(id);
    client.close(id);
    client.send(id, "late");
    client.onData(id, () => assert.fail("closed"));
  }
  assert.deepEqual(await client.resolve("127.0.0.1"), ["127.0.0.1"], "and the session lives");
});

inEach("bind, then onAccept without listen", async (t, client) => {
  const bound = await client.bind("127.0.0.1", 0);
  assert.ok(bound.port > 0);
  const accepted = new Promise((resolve) => client.onAccept(bound.id, (id, remote) => resolve({ id, remote })));
  const peer = net.connect(bound.port, "127.0.0.1");
  t.after(() => peer.destroy());
  await once(peer, "connect");
  const { id, remote } = await within(5000, accepted, "accept");
  assert.equal(remote, `127.0.0.1:${peer.localPort}`);
  assert.ok(id >= 2 ** 52 && Number.isSafeInteger(id));
  peer.write("hello");
  assert.equal(await firstBytes(client, id, 5), "hello");
  client.send(id, "back");
  assert.equal((await within(5000, once(peer, "data"), "the answer"))[0].toString(), "back");
  const closed = new Promise((resolve) => client.onClose(id, resolve));
  peer.end();
  await within(5000, closed, "the end");
});

inEach("bind, listen, connections that came before onAccept", async (t, client) => {
  const bound = await client.bind("127.0.0.1", 0);
  client.listen(bound.id, 16);
  const peers = await Promise.all([1, 2, 3].map(async (n) => {
    const peer = net.connect(bound.port, "127.0.0.1");
    t.after(() => peer.destroy());
    await once(peer, "connect");
    peer.write(String(n));
    return peer;
  }));
  const listener = client.sockets.get(bound.id);
  await within(5000, (async () => { while (listener.waitingAccepts < 3) await new Promise((r) => setTimeout(r, 5)); })(), "accepts");
  const said = await within(5000, new Promise((resolve) => {
    const words = [];
    client.onAccept(bound.id, (id) => client.onData(id, (data) => {
      words.push(Buffer.from(data).toString());
      if (words.length === 3) resolve(words);
    }));
  }), "data");
  assert.deepEqual(said.sort(), ["1", "2", "3"]);
  client.close(bound.id);
  await Promise.all(peers.map((peer) => { peer.end(); return once(peer, "close"); }));
});

inEach("a closed listener's port is free again", async (t, client) => {
  const port = await freePort();
  for (let i = 0; i < 3; i++) {
    const bound = await client.bind("127.0.0.1", port);
    assert.equal(bound.port, port);
    client.close(bound.id);
    // Sockets end in order: the answer to this follows the listener's end.
    await client.resolve("127.0.0.1");
  }
});

inEach("connected UDP: send, sendTo, onDataFrom", async (t, client) => {
  const sockets = await Promise.all(["one", "two"].map(async (name) => {
    const socket = dgram.createSocket("udp4");
    socket.on("message", (data, { port }) => socket.send(`${name}:${data}`, port, "127.0.0.1"));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    return socket;
  }));
  const [one, two] = sockets.map((socket) => socket.address().port);
  const udp = await client.connectUdp("127.0.0.1", one);
  assert.ok(udp.id > 0 && udp.port > 0);
  const seen = new Promise((resolve) => {
    const got = [];
    client.onDataFrom(udp.id, (data, addr, port) => {
      got.push(`${Buffer.from(data)} ${addr} ${port}`);
      if (got.length === 2) resolve(got.sort());
    });
  });
  client.send(udp.id, "a");
  client.sendTo(udp.id, "127.0.0.1", two, "b");
  assert.deepEqual(await within(5000, seen, "datagrams"), [`one:a 127.0.0.1 ${one}`, `two:b 127.0.0.1 ${two}`]);
  client.close(udp.id);
});

inEach("bindUdp takes datagrams from anyone", async (t, client) => {
  const udp = await client.bindUdp("127.0.0.1", 0);
  const socket = dgram.createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const seen = new Promise((resolve) => client.onDataFrom(udp.id, (...datagram) => resolve(datagram)));
  socket.send("hi", udp.port, "127.0.0.1");
  const [data, addr, port] = await within(5000, seen, "a datagram");
  assert.deepEqual([Buffer.from(data).toString(), addr, port], ["hi", "127.0.0.1", socket.address().port]);
  client.sendTo(udp.id, addr, port, "yo");
  assert.equal((await within(5000, once(socket, "message"), "the answer"))[0].toString(), "yo");
});

inEach("refused, denied, not found: each with its code", async (t, client, language) => {
  const hasCodes = language !== "v1 binary";
  const rejected = (call, code, unnamed) => assert.rejects(call, (error) => {
    assert.equal(error.name, "WasmnetError");
    assert.equal(error.code, hasCodes ? code : unnamed);
    assert.ok(error.message.length > 0);
    return true;
  });
  await rejected(client.connect("127.0.0.1", await freePort()), "refused", "internal");
  await rejected(client.connect("192.0.2.1", 80), "policy_denied", "policy_denied");
  await rejected(client.connectTls("192.0.2.1", 80), "policy_denied", "policy_denied");
  await rejected(client.connectUdp("192.0.2.1", 80), "policy_denied", "policy_denied");
  await rejected(client.bind("127.0.0.1", 80), "policy_denied", "policy_denied");
  await rejected(client.resolve("192.0.2.1"), "policy_denied", "policy_denied");
  const taken = await startTarget(t, echo);
  await rejected(client.bind("127.0.0.1", taken.port), "address_in_use", "internal");
});

inEach("resolve", async (t, client) => {
  const addresses = await client.resolve("localhost");
  assert.ok(addresses.includes("127.0.0.1") || addresses.includes("::1"), String(addresses));
});

inEach("disconnect ends every socket, told to onClose", async (t, client) => {
  const target = await startTarget(t, echo);
  const id = await client.connect("127.0.0.1", target.port);
  const socket = await target.connection();
  const closed = new Promise((resolve) => client.onClose(id, resolve));
  client.disconnect();
  assert.equal((await closed).code, "client_closed");
  await within(10000, once(socket, "close"), "the target's end");
});

inEach("a hundred sockets at once, each with its own bytes", async (t, client) => {
  const target = await startTarget(t, echo);
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const id = await client.connect("127.0.0.1", target.port);
    const word = `socket ${String(i).padStart(3, "0")}`;
    client.send(id, word);
    assert.equal(await firstBytes(client, id, 10), word);
    client.close(id);
  }));
});

test("limits say when to try again", LIMIT, async (t) => {
  const limited = await startNode(t, { policy: LOOPBACK.replace("connects_per_sec = 0", "connects_per_sec = 1\nconnect_burst = 1") });
  const target = await startTarget(t, echo);
  const client = connectClient(t, limited.url);
  await client.connect("127.0.0.1", target.port);
  await assert.rejects(client.connect("127.0.0.1", target.port), ({ code, retryAfterMs }) => {
    assert.equal(code, "connect_rate");
    assert.ok(retryAfterMs > 0 && retryAfterMs <= 1000, String(retryAfterMs));
    return true;
  });
});

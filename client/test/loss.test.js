// Nodes that drain or fail, tokens, and pages that are not admitted: waiting calls end with a code, and the client finds the next node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connected, opening, startFakeNode } from "./fake-node.js";
import { LANGUAGES, LOOPBACK, connectClient, echo, firstBytes, next, startNode, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const FAST = { reconnect: { baseMs: 20, capMs: 200 } };

/** In front of the nodes, like a balancer: one address, with a changing node. */
async function startBalancer(t, node) {
  const balancer = { node };
  const server = createServer((from) => {
    const to = connect(balancer.node.port, "127.0.0.1");
    from.pipe(to).pipe(from);
    from.on("error", () => to.destroy());
    to.on("error", () => from.destroy());
    // A node that is gone accepts no data: without this the client's pending data keeps its connection from ending.
    to.on("close", () => from.destroySoon());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  balancer.url = `ws://127.0.0.1:${server.address().port}/`;
  return balancer;
}

for (const [language, options] of Object.entries(LANGUAGES)) {
  test(`a node that dies in mid-transfer ends all that hangs on it; the client finds another (${language})`, LIMIT, async (t) => {
    const [first, second] = [await startNode(t), await startNode(t)];
    const balancer = await startBalancer(t, first);
    const target = await startTarget(t, (socket) => {
      const pump = () => { while (!socket.destroyed && socket.write(Buffer.alloc(65536))); };
      socket.on("drain", pump);
      pump();
    });
    const client = connectClient(t, balancer.url, { ...options, ...FAST });
    const id = await client.connect("127.0.0.1", target.port);
    const stream = client.open(`127.0.0.1:${target.port}`);
    await stream.opened;
    const reading = (async () => { for await (const chunk of stream.readable) void chunk; })();
    const writer = stream.writable.getWriter();
    const writing = (async () => { for (;;) await writer.write(new Uint8Array(100000)); })();
    const { id: listener } = await client.bind("127.0.0.1", 0);
    const accepting = client.listenOn("127.0.0.1:0").accept();
    const [closed, listenerClosed] = [id, listener].map((one) => new Promise((resolve) => client.onClose(one, resolve)));
    let received = 0;
    await new Promise((resolve) => client.onData(id, (data) => { received += data.length; if (received > 1 << 20) resolve(); }));

    const gone = next(client, "disconnected");
    const back = next(client, "connected");
    balancer.node = second;
    first.kill("SIGKILL");
    // In JSON and binary v1 alike.
    for (const pending of [reading, writing, accepting, stream.closed]) {
      await assert.rejects(within(10000, pending, "a pending call"), { code: "connection_lost" });
    }
    assert.equal((await within(10000, closed, "onClose")).code, "connection_lost");
    assert.equal((await within(10000, listenerClosed, "onClose")).code, "connection_lost");
    assert.equal((await gone).error.code, "connection_lost");
    assert.equal((await back).isReconnect, true);

    const echoes = await startTarget(t, echo);
    const again = await client.connect("127.0.0.1", echoes.port);
    assert.ok(again > id, "an id of the lost connection is never another socket");
    client.send(again, "hello again");
    assert.equal(await firstBytes(client, again, 11), "hello again");
  });
}

test("a connection that the other side has ended, and does not read any more, is lost though its WebSocket does not say so", LIMIT, async (t) => {
  const node = await startFakeNode({ protocol: "wasmnet.v1" });
  t.after(() => node.close());
  const client = connectClient(t, node.url, { binary: true, reconnect: false });
  const stream = client.open("a:1");
  await client.ready();
  const [peer] = node.peers;
  peer.send(0x81, (await peer.request(({ type }) => type === 0x01)).id);
  const writer = stream.writable.getWriter();
  const writing = (async () => { for (;;) await writer.write(new Uint8Array(100000)); })();
  writing.catch(() => {});
  peer.ws._socket.pause();
  while (client.ws.bufferedAmount < 1 << 20) await new Promise((resolve) => setImmediate(resolve));
  const gone = next(client, "disconnected");
  peer.ws._socket.end();
  assert.equal((await gone).error.code, "connection_lost");
  await assert.rejects(writing, { code: "connection_lost" });
});

test("calls that wait when the node dies are rejected", LIMIT, async (t) => {
  const node = await startNode(t);
  const client = connectClient(t, node.url, { reconnect: false });
  await client.ready();
  // Stopped: it answers nothing, everything waits.
  node.kill("SIGSTOP");
  while (!readFileSync(`/proc/${node.pid}/stat`, "utf8").includes(") T ")) await new Promise((resolve) => setImmediate(resolve));
  const calls = [client.connect("127.0.0.1", 9), client.bind("127.0.0.1", 0), client.connectUdp("127.0.0.1", 9),
    client.resolve("localhost"), client.open("127.0.0.1:9").opened, client.listenOn("127.0.0.1:0").accept()];
  node.kill("SIGKILL");
  for (const call of calls) await assert.rejects(within(10000, call, "a call"), { code: "connection_lost" });
  await assert.rejects(client.connect("127.0.0.1", 9), { code: "connection_lost" });
});

test("a node that drains: live sockets go on, new ones are on the other node", LIMIT, async (t) => {
  const [first, second] = [await startNode(t, { args: ["--drain-timeout", "20"] }), await startNode(t)];
  const balancer = await startBalancer(t, first);
  const target = await startTarget(t, echo);
  const client = connectClient(t, balancer.url, FAST);
  const id = await client.connect("127.0.0.1", target.port);
  const session = client.terms.session;
  const leaving = next(client, "goaway");
  balancer.node = second;
  first.kill("SIGTERM");
  await leaving;
  const fresh = await within(10000, client.connect("127.0.0.1", target.port), "a connect while draining");
  assert.notEqual(client.terms.session, session);
  client.send(id, "old");
  assert.equal(await firstBytes(client, id, 3), "old");
  client.send(fresh, "new");
  assert.equal(await firstBytes(client, fresh, 3), "new");
  client.close(id);
  // The last socket was closed: the drained node ends, and nothing else happens.
  await within(15000, first.exited, "the drained node's end");
  client.send(fresh, "yet");
  assert.equal(await firstBytes(client, fresh, 3), "yet");
});

test("a drained node without sockets is left for the next", LIMIT, async (t) => {
  const [first, second] = [await startNode(t), await startNode(t)];
  const balancer = await startBalancer(t, first);
  const client = connectClient(t, balancer.url, FAST);
  await client.ready();
  const gone = next(client, "disconnected");
  const back = next(client, "connected");
  balancer.node = second;
  first.kill("SIGTERM");
  assert.equal((await gone).error.code, "draining");
  assert.equal((await back).isReconnect, true);
});

test("a token lets in, and none does not", LIMIT, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "wasmnet-token-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const token = randomBytes(24).toString("base64url");
  const output = execFileSync(process.env.WASMNET_NODE, ["token", "hash", "bob"], { encoding: "utf8", input: `${token}\n` });
  const file = join(directory, "tokens");
  writeFileSync(file, output);
  const node = await startNode(t, { policy: `${LOOPBACK}\n[clients]\nidentify_by = "token"\n`, args: ["--token-file", file] });
  const target = await startTarget(t, echo);
  for (const options of [{}, { protocol: "v1" }]) {
    const client = connectClient(t, node.url, { ...options, token });
    const id = await client.connect("127.0.0.1", target.port);
    client.send(id, "in");
    assert.equal(await firstBytes(client, id, 2), "in");
    await assert.rejects(connectClient(t, node.url, { ...options, token: randomBytes(24).toString("hex") }).ready(), { code: "not_admitted" });
  }
});

test("an origin that the policy does not list is told so, as a page is", LIMIT, async (t) => {
  const node = await startNode(t, { policy: `${LOOPBACK}\n[clients]\nallowed_origins = ["https://good.example"]\n` });
  const { WebSocket } = await import("./ws.js");
  const withOrigin = (origin) => class extends WebSocket {
    constructor(url, protocols) { super(url, protocols, { origin }); }
  };
  const bad = connectClient(t, node.url, { WebSocket: withOrigin("https://bad.example") });
  const gone = next(bad, "disconnected");
  await assert.rejects(bad.ready(), ({ code }) => ["policy_denied", "not_admitted"].includes(code));
  assert.equal((await gone).retryInMs, null);
  await connectClient(t, node.url, { WebSocket: withOrigin("https://good.example") }).ready();
});

test("what a program asks for as it is told of a loss is for the next WebSocket", LIMIT, async (t) => {
  const node = await startFakeNode();
  t.after(() => node.close());
  const client = connectClient(t, node.url, { ...FAST, openTimeoutMs: 5000 });
  const connecting = client.connect("a", 1);
  const first = (await once(node.server, "peer"))[0];
  connected(first, (await opening(first)).id);
  const id = await connecting;
  const second = once(node.server, "peer");
  const again = new Promise((resolve) => client.onClose(id, () => resolve([client.connect("b", 1), client.resolve("c")])));
  first.ws.terminate();
  const [socket, lookup] = await within(5000, again, "the loss");
  const [peer] = await within(5000, second, "the next WebSocket");
  connected(peer, (await within(5000, opening(peer), "the open")).id);
  peer.send(0x89, (await within(5000, peer.request((request) => request.type === 0x08), "the lookup")).id, '["192.0.2.1"]');
  await within(5000, socket, "the socket");
  assert.deepEqual(await within(5000, lookup, "the answer"), ["192.0.2.1"]);
});

// wasi:sockets 0.2's classes, called as jco calls them: every function there is, and what each does in each state, through a real node.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { WasmnetClient } from "../../wasmnet-client.js";
import { socketInterfaces } from "../../wasi/index.js";
import { WebSocket } from "../ws.js";
import { freePort, startNode, startTcp } from "./peers.js";
import { startBulk, startEcho } from "./bulk-peer.js";
import { camel, interfaces, pascal, resources, waiting } from "./wit02.js";

const text = (bytes) => new TextDecoder().decode(bytes);
const bytes = (string) => new TextEncoder().encode(string);
const v4 = (port, ...address) => ({ tag: "ipv4", val: { port, address: address.length ? address : [127, 0, 0, 1] } });
const v6 = (port, ...address) => ({ tag: "ipv6", val: { port, flowInfo: 0, address: address.length ? address : [0, 0, 0, 0, 0, 0, 0, 1], scopeId: 0 } });
/** What a call throws, which must be no Error: jco would trap. */
const thrown = (call) => {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) throw error;
    return error;
  }
  return "nothing thrown";
};

let node;
let echo;
let bulk;
const clients = [];
before(async () => { [node, echo, bulk] = await Promise.all([startNode(), startEcho("127.0.0.1"), startBulk()]); });
after(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all([node, echo, bulk].map((peer) => peer?.end()));
});

function open(url = node.url) {
  const client = new WasmnetClient(url, { WebSocket, reconnect: false });
  clients.push(client);
  const modules = socketInterfaces(client);
  const network = modules["wasi:sockets/instance-network"].instanceNetwork();
  const tcp = (family = "ipv4") => modules["wasi:sockets/tcp-create-socket"].createTcpSocket(family);
  const udp = (family = "ipv4") => modules["wasi:sockets/udp-create-socket"].createUdpSocket(family);
  return {
    client, modules, network, tcp, udp,
    async connected(port) {
      const socket = tcp();
      socket.startConnect(network, v4(port));
      await socket.subscribe().block();
      return [socket, ...socket.finishConnect()];
    },
    async listening(address = v4(0)) {
      const socket = tcp();
      socket.startBind(network, address);
      await socket.subscribe().block();
      socket.finishBind();
      socket.startListen();
      await socket.subscribe().block();
      socket.finishListen();
      return socket;
    },
    async boundUdp(address = v4(0)) {
      const socket = udp();
      socket.startBind(network, address);
      await socket.subscribe().block();
      socket.finishBind();
      return socket;
    },
  };
}

test("every function of the WIT is there by its name and number of parameters, and no other", () => {
  const { modules } = open();
  assert.deepEqual(Object.keys(modules).sort(), Object.keys(interfaces).sort());
  for (const [name, functions] of Object.entries(interfaces)) {
    const seen = new Set(resources[name]?.map(pascal));
    for (const [path, parameters] of functions) {
      const [owner, method] = path.includes(".") ? path.split(".") : [null, path];
      const call = owner ? modules[name][pascal(owner)].prototype[camel(method)] : modules[name][camel(method)];
      assert.equal(typeof call, "function", `${name} ${path}`);
      assert.equal(call.length, parameters.length, `${name} ${path}`);
      // A call that may wait is awaited; no other may be a promise.
      assert.equal(/^async|return this\.blocking/.test(call.toString()) || (call.constructor.name === "AsyncFunction"), waiting.has(path), `${name} ${path} waits`);
      if (!owner) seen.add(camel(method));
    }
    assert.deepEqual(Object.keys(modules[name]).sort(), [...seen].sort(), name);
    for (const resource of resources[name] ?? []) {
      const { prototype } = modules[name][pascal(resource)];
      const methods = functions.filter(([path]) => path.startsWith(`${resource}.`)).map(([path]) => camel(path.split(".")[1]));
      const own = Object.getOwnPropertyNames(prototype).filter((key) => key !== "constructor");
      assert.deepEqual(own.sort(), methods.sort(), resource);
      if (resource !== "error") assert.equal(typeof prototype[Symbol.dispose ?? Symbol.for("dispose")], "function", `${resource} can be dropped`);
    }
  }
});

test("tcp: what may be called before a socket is anything", () => {
  const { tcp, network } = open();
  const socket = tcp();
  for (const call of ["finishBind", "finishConnect", "finishListen"]) assert.equal(thrown(() => socket[call]()), "not-in-progress", call);
  for (const call of ["startListen", "accept", "localAddress", "remoteAddress"]) assert.equal(thrown(() => socket[call]()), "invalid-state", call);
  assert.equal(thrown(() => socket.shutdown("both")), "invalid-state");
  assert.deepEqual([socket.isListening(), socket.addressFamily(), tcp("ipv6").addressFamily(), socket.subscribe().ready()], [false, "ipv4", "ipv6", true]);
  const wrong = {
    "another family": v6(80), "no address": v4(80, 0, 0, 0, 0), "no port": v4(0), "a group": v4(80, 224, 0, 0, 1), "everyone": v4(80, 255, 255, 255, 255),
  };
  for (const [what, address] of Object.entries(wrong)) assert.equal(thrown(() => socket.startConnect(network, address)), "invalid-argument", what);
  const mapped = v6(80, 0, 0, 0, 0, 0, 0xffff, 0x7f00, 1);
  assert.equal(thrown(() => tcp("ipv6").startConnect(network, mapped)), "invalid-argument");
  assert.equal(thrown(() => tcp("ipv6").startBind(network, mapped)), "invalid-argument");
  assert.equal(thrown(() => socket.startBind(network, v6(0))), "invalid-argument");
});

test("tcp: options are kept, their zeros are refused, and accepted sockets have their listener's", async () => {
  const { listening } = open();
  const socket = await listening();
  const options = {
    KeepAliveEnabled: [false, true], KeepAliveIdleTime: [7200n * 10n ** 9n, 5n], KeepAliveInterval: [75n * 10n ** 9n, 6n], KeepAliveCount: [9, 7],
    HopLimit: [64, 8], ReceiveBufferSize: [262144n, 1000n], SendBufferSize: [262144n, 2000n],
  };
  for (const [name, [first, other]] of Object.entries(options)) {
    const get = () => socket[name[0].toLowerCase() + name.slice(1)]();
    assert.equal(get(), first, name);
    if (typeof first !== "boolean") assert.equal(thrown(() => socket[`set${name}`](typeof first === "bigint" ? 0n : 0)), "invalid-argument", name);
    socket[`set${name}`](other);
    assert.equal(get(), other, name);
  }
  const peer = connect(socket.localAddress().val.port, "127.0.0.1");
  await socket.subscribe().block();
  const [accepted] = socket.accept();
  peer.destroy();
  assert.deepEqual([accepted.hopLimit(), accepted.keepAliveEnabled(), accepted.keepAliveIdleTime(), accepted.sendBufferSize()], [8, true, 5n, 2000n]);
});

test("tcp: connecting", async () => {
  const { tcp, network } = open();
  const socket = tcp();
  socket.startConnect(network, v4(echo.port));
  assert.equal(thrown(() => socket.finishConnect()), "would-block");
  for (const call of [() => socket.startConnect(network, v4(echo.port)), () => socket.startBind(network, v4(0)), () => socket.startListen()]) {
    assert.equal(thrown(call), "concurrency-conflict");
  }
  assert.equal(thrown(() => socket.finishListen()), "not-in-progress");
  assert.equal(thrown(() => socket.setListenBacklogSize(5n)), "invalid-state");
  assert.equal(socket.subscribe().ready(), false);
  await socket.subscribe().block();
  const [input, output] = socket.finishConnect();
  assert.deepEqual(socket.remoteAddress(), v4(echo.port));
  assert.ok(socket.localAddress().val.port > 0);
  for (const call of [() => socket.startConnect(network, v4(echo.port)), () => socket.startBind(network, v4(0)), () => socket.startListen(), () => socket.accept()]) {
    assert.equal(thrown(call), "invalid-state");
  }
  assert.equal(thrown(() => socket.finishConnect()), "not-in-progress");
  await output.blockingWriteAndFlush(bytes("hello"));
  assert.equal(text(await input.blockingRead(100n)), "hello");
});

test("tcp: a connect that fails leaves a socket that is of no more use", async () => {
  const { tcp, network } = open();
  const socket = tcp();
  socket.startConnect(network, v4(1));
  await socket.subscribe().block();
  assert.equal(thrown(() => socket.finishConnect()), "connection-refused");
  assert.equal(thrown(() => socket.finishConnect()), "not-in-progress");
  for (const call of [() => socket.startConnect(network, v4(echo.port)), () => socket.startBind(network, v4(0)), () => socket.localAddress(), () => socket.remoteAddress()]) {
    assert.equal(thrown(call), "invalid-state");
  }
});

test("tcp: bind, listen, accept", async () => {
  const { tcp, network } = open();
  const socket = tcp();
  assert.equal(thrown(() => socket.setListenBacklogSize(0n)), "invalid-argument");
  socket.setListenBacklogSize(2n ** 40n);
  socket.startBind(network, v4(0));
  assert.equal(thrown(() => socket.startBind(network, v4(0))), "concurrency-conflict");
  assert.equal(thrown(() => socket.startListen()), "concurrency-conflict");
  assert.equal(thrown(() => socket.finishBind()), "would-block");
  assert.equal(thrown(() => socket.localAddress()), "invalid-state");
  await socket.subscribe().block();
  socket.finishBind();
  assert.equal(thrown(() => socket.finishBind()), "not-in-progress");
  assert.equal(thrown(() => socket.startBind(network, v4(0))), "invalid-state");
  const { port } = socket.localAddress().val;
  assert.ok(port > 0);
  assert.equal(thrown(() => socket.accept()), "invalid-state");
  socket.startListen();
  assert.equal(thrown(() => socket.startListen()), "concurrency-conflict");
  assert.equal(socket.isListening(), false);
  await socket.subscribe().block();
  socket.finishListen();
  assert.deepEqual([socket.isListening(), socket.localAddress()], [true, v4(port)]);
  assert.equal(thrown(() => socket.startListen()), "invalid-state");
  assert.equal(thrown(() => socket.startConnect(network, v4(echo.port))), "invalid-state");
  assert.equal(thrown(() => socket.setListenBacklogSize(5n)), "not-supported");
  assert.equal(thrown(() => socket.accept()), "would-block");
  assert.equal(socket.subscribe().ready(), false);

  const peers = ["one", "two"].map((word) => connect(port, "127.0.0.1").end(word));
  const words = [];
  for (const peer of peers) {
    await socket.subscribe().block();
    const [accepted, input, output] = socket.accept();
    assert.deepEqual([accepted.addressFamily(), accepted.isListening(), accepted.localAddress().val.port], ["ipv4", false, port]);
    assert.ok(peers.some(({ localPort }) => localPort === accepted.remoteAddress().val.port));
    words.push(text(await input.blockingRead(10n)));
    await assert.rejects(input.blockingRead(10n), (error) => error.tag === "closed");
    await output.blockingWriteAndFlush(bytes("bye"));
    accepted[Symbol.dispose ?? Symbol.for("dispose")]();
    peer.resume();
  }
  assert.deepEqual(words.sort(), ["one", "two"]);
  await Promise.all(peers.map((peer) => peer.closed || once(peer, "close")));

  const second = tcp();
  second.startBind(network, v4(port));
  await second.subscribe().block();
  assert.equal(thrown(() => second.finishBind()), "address-in-use");
  // A bind that failed may be tried again.
  second.startBind(network, v4(0));
  await second.subscribe().block();
  second.finishBind();
  // Dropped, the listener's port is free.
  socket[Symbol.dispose ?? Symbol.for("dispose")]();
  second[Symbol.dispose ?? Symbol.for("dispose")]();
  for (;;) {
    const again = tcp();
    again.startBind(network, v4(port));
    await again.subscribe().block();
    const outcome = thrown(() => again.finishBind());
    if (outcome === "nothing thrown") break;
    assert.equal(outcome, "address-in-use");
  }
});

test("tcp: shutdown of either half", async () => {
  const { connected } = open();
  const [sender, input, output] = await connected(echo.port);
  await output.blockingWriteAndFlush(bytes("last"));
  sender.shutdown("send");
  assert.deepEqual(thrown(() => output.checkWrite()), { tag: "closed" });
  assert.deepEqual(thrown(() => output.write(bytes("x"))), { tag: "closed" });
  assert.equal(output.subscribe().ready(), true);
  assert.equal(text(await input.blockingRead(10n)), "last");
  await assert.rejects(input.blockingRead(10n), (error) => error.tag === "closed");
  sender.shutdown("send");

  const [reader, unread, still] = await connected(echo.port);
  await still.blockingWriteAndFlush(bytes("for nobody"));
  await unread.subscribe().block();
  reader.shutdown("receive");
  assert.deepEqual(thrown(() => unread.read(10n)), { tag: "closed" });
  assert.ok(still.checkWrite() > 0n);
});

test("streams: reads", async () => {
  const { connected } = open();
  const [, input, output] = await connected(echo.port);
  assert.deepEqual([input.read(10n).length, input.read(0n).length, input.skip(5n), (await input.blockingRead(0n)).length], [0, 0, 0n, 0]);
  await output.blockingWriteAndFlush(bytes("0123456789"));
  assert.equal(text(await input.blockingRead(3n)), "012");
  assert.equal(input.skip(2n), 2n);
  assert.equal(await input.blockingSkip(1n), 1n);
  assert.equal(text(input.read(2n ** 63n)), "6789");
});

test("streams: writes, within what check-write permits", async () => {
  const { connected } = open();
  const [, input, output] = await connected(echo.port);
  const most = output.checkWrite();
  assert.ok(most > 4096n);
  assert.throws(() => output.write(new Uint8Array(Number(most) + 1)), /check-write permits/);
  output.write(bytes("abc"));
  output.flush();
  await output.blockingFlush();
  output.writeZeroes(2n);
  await output.blockingWriteZeroesAndFlush(1n);
  let seen = "";
  while (seen.length < 6) seen += text(await input.blockingRead(10n));
  assert.equal(seen, "abc\0\0\0");
});

test("streams: splice from one socket to another", async () => {
  const { connected } = open();
  const [, from, feed] = await connected(echo.port);
  const [, back, into] = await connected(echo.port);
  assert.equal(into.splice(from, 10n), 0n);
  await feed.blockingWriteAndFlush(bytes("spliced"));
  assert.equal(await into.blockingSplice(from, 4n), 4n);
  assert.equal(into.splice(from, 100n), 3n);
  let seen = "";
  while (seen.length < 7) seen += text(await back.blockingRead(10n));
  assert.equal(seen, "spliced");
});

test("streams: a writer stops where the reader does, and a reset is the last operation's failure", async () => {
  const { connected, modules } = open();
  const held = [];
  const peer = await startTcp((socket) => held.push(socket.pause()));
  try {
    const [, input, output] = await connected(peer.port);
    let sent = 0n;
    for (let most = output.checkWrite(); most > 0n; most = output.checkWrite()) {
      output.write(new Uint8Array(Number(most)));
      sent += most;
    }
    assert.ok(sent > 0n && sent < 64n << 20n, `${sent} bytes`);
    assert.equal(output.subscribe().ready(), false);
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    held[0].resetAndDestroy();
    await input.subscribe().block();
    const error = thrown(() => input.read(10n));
    assert.equal(error.tag, "last-operation-failed");
    assert.ok(error.val instanceof modules["wasi:io/error"].Error);
    assert.equal(error.val.toDebugString(), "connection-reset");
    assert.deepEqual(thrown(() => input.read(10n)), { tag: "closed" });
    assert.deepEqual(thrown(() => output.checkWrite()), { tag: "closed" });
  } finally {
    await peer.end();
  }
});

test("poll: which of many, clocks, and another shim's pollables", async () => {
  const { connected, modules } = open();
  const { poll, Pollable } = modules["wasi:io/poll"];
  const clock = modules["wasi:clocks/monotonic-clock"];
  const [, input, output] = await connected(echo.port);
  await assert.rejects(poll([]), /empty/);
  const start = clock.now();
  assert.deepEqual([...await poll([input.subscribe(), clock.subscribeDuration(30_000_000n)])], [1]);
  assert.ok(clock.now() - start >= 30_000_000n && clock.resolution() > 0n);
  assert.deepEqual([...await poll([clock.subscribeInstant(start), input.subscribe(), output.subscribe()])], [0, 2]);
  const long = clock.subscribeDuration(2n ** 62n);
  await output.blockingWriteAndFlush(bytes("x"));
  assert.deepEqual([...await poll([long, input.subscribe()])], [1]);
  long[Symbol.dispose ?? Symbol.for("dispose")]();

  let release;
  const foreign = { isSet: false, ready() { return this.isSet; }, block() { return new Promise((resolve) => { release = resolve; }); } };
  const far = clock.subscribeDuration(10n ** 12n);
  const polled = poll([far, foreign]);
  foreign.isSet = true;
  release();
  assert.deepEqual([...await polled], [1]);
  far[Symbol.dispose ?? Symbol.for("dispose")]();
  assert.ok(foreign instanceof Pollable && !({} instanceof Pollable));
});

test("lookups", async () => {
  const { modules, network } = open();
  const { resolveAddresses } = modules["wasi:sockets/ip-name-lookup"];
  for (const name of ["", "a b", "host:80", "x".repeat(254), "[::1", "http://host/"]) assert.equal(thrown(() => resolveAddresses(network, name)), "invalid-argument", name);
  const literal = resolveAddresses(network, "2001:db8::1");
  assert.equal(literal.subscribe().ready(), true);
  assert.deepEqual(literal.resolveNextAddress(), { tag: "ipv6", val: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1] });
  assert.equal(literal.resolveNextAddress(), undefined);
  const local = resolveAddresses(network, "localhost");
  assert.equal(thrown(() => local.resolveNextAddress()), "would-block");
  await local.subscribe().block();
  assert.match(local.resolveNextAddress().tag, /^ipv[46]$/);
  const missing = resolveAddresses(network, "no-such-name.invalid");
  await missing.subscribe().block();
  assert.equal(thrown(() => missing.resolveNextAddress()), "name-unresolvable");
  assert.equal(thrown(() => missing.resolveNextAddress()), "name-unresolvable");
});

test("udp: states, and datagrams both ways", async () => {
  const { udp, network, boundUdp } = open();
  const socket = udp();
  assert.equal(thrown(() => socket.finishBind()), "not-in-progress");
  for (const call of [() => socket.stream(undefined), () => socket.localAddress(), () => socket.remoteAddress()]) assert.equal(thrown(call), "invalid-state");
  assert.equal(thrown(() => socket.startBind(network, v6(0))), "invalid-argument");
  socket.startBind(network, v4(0));
  assert.equal(thrown(() => socket.startBind(network, v4(0))), "concurrency-conflict");
  await socket.subscribe().block();
  socket.finishBind();
  assert.equal(thrown(() => socket.startBind(network, v4(0))), "invalid-state");
  assert.equal(thrown(() => socket.finishBind()), "not-in-progress");
  assert.deepEqual([socket.localAddress(), socket.addressFamily()], [v4(0), "ipv4"]);
  for (const [name, first, other] of [["UnicastHopLimit", 64, 9], ["ReceiveBufferSize", 262144n, 5n], ["SendBufferSize", 262144n, 6n]]) {
    assert.equal(socket[name[0].toLowerCase() + name.slice(1)](), first);
    assert.equal(thrown(() => socket[`set${name}`](typeof first === "bigint" ? 0n : 0)), "invalid-argument");
    socket[`set${name}`](other);
    assert.equal(socket[name[0].toLowerCase() + name.slice(1)](), other);
  }
  for (const address of [v6(80), v4(0), v4(80, 0, 0, 0, 0)]) assert.equal(thrown(() => socket.stream(address)), "invalid-argument");

  const peer = createSocket("udp4");
  peer.on("message", (message, from) => peer.send(`echo of ${message}`, from.port, from.address));
  peer.bind(0, "127.0.0.1");
  await once(peer, "listening");
  const { port } = peer.address();
  try {
    const [incoming, outgoing] = socket.stream(v4(port));
    assert.deepEqual(socket.remoteAddress(), v4(port));
    await outgoing.subscribe().block();
    assert.ok(socket.localAddress().val.port > 0);
    const most = outgoing.checkSend();
    assert.ok(most > 0n);
    assert.throws(() => outgoing.send(Array.from({ length: Number(most) + 1 }, () => ({ data: bytes("x") }))), /check-send permits/);
    assert.deepEqual([outgoing.send([]), incoming.receive(5n), incoming.receive(0n)], [0n, [], []]);
    assert.equal(thrown(() => outgoing.send([{ data: bytes("x"), remoteAddress: v4(port + 1) }])), "invalid-argument");
    assert.equal(thrown(() => outgoing.send([{ data: new Uint8Array(65508) }])), "datagram-too-large");
    assert.equal(outgoing.send([{ data: bytes("a") }, { data: bytes("b"), remoteAddress: v4(port) }, { data: new Uint8Array(65508) }, { data: bytes("c") }]), 2n);
    const seen = [];
    while (seen.length < 2) {
      await incoming.subscribe().block();
      seen.push(...incoming.receive(1n));
    }
    assert.deepEqual(seen.map(({ data }) => text(data)), ["echo of a", "echo of b"]);
    assert.deepEqual(seen[0].remoteAddress, v4(port));

    const [, anywhere] = socket.stream(undefined);
    assert.equal(thrown(() => socket.remoteAddress()), "invalid-state");
    assert.equal(thrown(() => anywhere.send([{ data: bytes("x") }])), "invalid-argument");
    assert.equal(anywhere.send([{ data: bytes("to"), remoteAddress: v4(port) }]), 1n);

    // A socket bound to a port hears whoever writes to it.
    const fixed = await freePort();
    const server = await boundUdp(v4(fixed));
    assert.deepEqual(server.localAddress(), v4(fixed));
    const [heard] = server.stream(undefined);
    peer.send("unasked", fixed, "127.0.0.1");
    await heard.subscribe().block();
    const [datagram] = heard.receive(10n);
    assert.deepEqual([text(datagram.data), datagram.remoteAddress], ["unasked", v4(port)]);
  } finally {
    peer.close();
  }
});

test("what the policy denies, and the node's end", async () => {
  const strict = await startNode({ policy: `[network]\ndeny = ["*"]\nallow = ["127.0.0.1:${echo.port}"]\n` });
  try {
    const { tcp, network, connected, boundUdp } = open(strict.url);
    const denied = tcp();
    denied.startConnect(network, v4(bulk.port));
    await denied.subscribe().block();
    assert.equal(thrown(() => denied.finishConnect()), "access-denied");
    const listener = tcp();
    listener.startBind(network, v4(0));
    await listener.subscribe().block();
    assert.equal(thrown(() => listener.finishBind()), "access-denied");
    const datagrams = await boundUdp();
    const [incoming] = datagrams.stream(v4(bulk.port));
    await incoming.subscribe().block();
    assert.equal(thrown(() => incoming.receive(1n)), "access-denied");

    const [, input, output] = await connected(echo.port);
    await strict.end("SIGKILL");
    await input.subscribe().block();
    assert.equal(thrown(() => input.read(1n)).val?.toDebugString(), "connection-reset");
    assert.deepEqual(thrown(() => output.checkWrite()), { tag: "closed" });
    const late = tcp();
    late.startConnect(network, v4(echo.port));
    await late.subscribe().block();
    assert.equal(thrown(() => late.finishConnect()), "remote-unreachable");
  } finally {
    await strict.end();
  }
  const shut = await startNode({ policy: `[network]\ndeny = ["*"]\n` });
  try {
    const { modules, network } = open(shut.url);
    const lookup = modules["wasi:sockets/ip-name-lookup"].resolveAddresses(network, "localhost");
    await lookup.subscribe().block();
    assert.equal(thrown(() => lookup.resolveNextAddress()), "access-denied");
  } finally {
    await shut.end();
  }
});

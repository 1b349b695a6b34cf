// wasi:sockets 0.2's streams, pollables, lookups and datagrams, with the policy's decisions and the node's end, through a real node.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { freePort, startNode, startTcp } from "./peers.js";
import { bulk, bytes, drop, echo, open, text, thrown, v4, v6 } from "./sockets02-support.js";

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
  drop(long);

  let release;
  const foreign = { isSet: false, ready() { return this.isSet; }, block() { return new Promise((resolve) => { release = resolve; }); } };
  const far = clock.subscribeDuration(10n ** 12n);
  const polled = poll([far, foreign]);
  foreign.isSet = true;
  release();
  assert.deepEqual([...await polled], [1]);
  drop(far);
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

    // A socket bound to a port receives from any sender.
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

// wasi:sockets 0.2's classes, called as jco calls them: every function, and TCP in each state, through a real node.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { bytes, drop, echo, open, text, thrown, v4, v6 } from "./sockets02-support.js";
import { camel, interfaces, pascal, resources, waiting } from "./wit02.js";

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
    drop(accepted);
    peer.resume();
  }
  assert.deepEqual(words.sort(), ["one", "two"]);
  await Promise.all(peers.map((peer) => peer.closed || once(peer, "close")));

  const second = tcp();
  second.startBind(network, v4(port));
  await second.subscribe().block();
  assert.equal(thrown(() => second.finishBind()), "address-in-use");
  // A failed bind can be tried again.
  second.startBind(network, v4(0));
  await second.subscribe().block();
  second.finishBind();
  // Once dropped, the listener's port is free.
  drop(socket);
  drop(second);
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

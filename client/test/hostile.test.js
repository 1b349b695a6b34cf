// A node that is broken or hostile: every message ends its session with `protocol_error` or is bounded in memory, and no call hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { HELLO, connected, fake, message, opening, settle } from "./fake-node.js";
import { connectClient, next, within } from "./support.js";
import { WebSocket } from "./ws.js";

const LIMIT = { timeout: 60000 };
const ONCE = { reconnect: false };
const MIB = 1 << 20;
const NODE_ID = 2 ** 52;

/** A client at a node that sends this, with an open socket of each kind: ids by kind. */
async function session(t, { language = "v2", hello = HELLO, kinds = [] } = {}) {
  const node = await fake(t, { hello, protocol: language === "v2" ? "wasmnet.v2" : "wasmnet.v1" });
  const client = connectClient(t, node.url, { ...ONCE, binary: language === "v1 binary" });
  await client.ready();
  const [peer] = node.peers;
  const isJson = language === "v1 JSON";
  const sockets = {};
  for (const kind of kinds) {
    const socket = sockets[kind] = client.socket(kind, "a", 1);
    const { id } = await peer.request((request) => request.id === socket.id);
    if (isJson) peer.ws.send(JSON.stringify({ ev: { tcp: "connected", listener: "listening" }[kind] ?? "udp_bound", id, port: 1 }));
    else if (kind === "tcp") connected(peer, id);
    else peer.send(kind === "listener" ? 0x83 : 0x8a, id, [2, 1]);
    while (socket.state !== "open") await new Promise((resolve) => setImmediate(resolve));
  }
  return { client, peer, sockets };
}

/** The error with which the client ends its session after this message. */
async function endingAfter(t, options, say) {
  const { client, peer, sockets } = await session(t, options);
  const gone = next(client, "disconnected");
  const closed = new Promise((resolve) => peer.ws.once("close", resolve));
  say(peer, sockets, client);
  const { error } = await gone;
  assert.equal(await within(5000, closed, "the close"), 3002);
  assert.equal(client.openSockets.length, 0);
  return error;
}

const protocolError = ({ code, message: words }) => {
  assert.equal(code, "protocol_error", words);
  assert.match(words, /^the node broke the protocol: /);
  assert.ok(words.length < 200, words);
};

/** Objects that no conversion can read. */
const OBJECTS = [{ toString: 1 }, { valueOf: 1, toString: 1 }];
const numbers = [undefined, null, -1, 1.5, "9", 2 ** 53, NaN, [], {}, ...OBJECTS];
const terms = {
  window: [...numbers, 0, (16 << 20) + 1], max_message: [...numbers, 0, 9, 10, 2047], max_sockets: [...numbers, 0], heartbeat_ms: [...numbers, 0, 86400001],
  version: [1, null, "x".repeat(257)], node: [[], "x".repeat(257), ...OBJECTS], session: [{}, "x".repeat(1 << 20)],
};
for (const [field, values] of Object.entries(terms)) {
  test(`a hello whose ${field} is none ends the session at once`, LIMIT, async (t) => {
    for (const value of values) {
      const node = await fake(t, { hello: { ...HELLO, [field]: value } });
      const client = connectClient(t, node.url, ONCE);
      const socket = client.socket("tcp", "a", 1);
      socket.send(new Uint8Array(1000));
      await assert.rejects(within(5000, client.ready(), field), (error) => (protocolError(error), true), `${field}: ${inspect(value)}`);
      assert.equal(socket.ending.code, "protocol_error");
    }
  });
}

test("a hello that is no object, or not the first that is said, or is said twice", LIMIT, async (t) => {
  for (const first of [message(0x90, 0, "null"), message(0x90, 0, "[]"), message(0x90, 0, "7"), message(0x90, 0, "{"), message(0x90, 1, JSON.stringify(HELLO)),
    message(0x8d, 0, [4, 1]), message(0x82, 1, "x"), message(0x81, 1, "{}"), message(0x86, 1, [1, 1], [4, 0]),
    message(0x90, 0, JSON.stringify({ ...HELLO, more: "x".repeat(300000) }))]) {
    const node = await fake(t, { hello: null, onconnection: ({ ws }) => ws.send(first) });
    await assert.rejects(within(5000, connectClient(t, node.url, ONCE).ready(), first), (error) => (protocolError(error), true));
  }
  protocolError(await endingAfter(t, {}, (peer) => peer.send(0x90, 0, JSON.stringify(HELLO))));
});

test("a hello does not decide what kind of message it is, nor for whom", LIMIT, async (t) => {
  const { client } = await session(t, { hello: { ...HELLO, ev: "closed", id: 7, more: 1 } });
  assert.deepEqual(client.terms, { ...HELLO, more: 1 });
});

const long = "x".repeat(4097);
const malformed = {
  "an empty message": [], "a message without an id": [0x82, 0, 0], "an id over 2^53": [0x82, 255, 255, 255, 255, 255, 255, 255, 255],
  "data for id 0": message(0x82, 0, "x"), "an id that nothing had": message(0x82, 999, "x"), "an id of the node's that nothing had": message(0x8c, NODE_ID, ""),
  "hello with an id": message(0x90, 1, JSON.stringify(HELLO)), "goaway with an id": message(0x8d, 1, [4, 1]),
  "goaway in two days": message(0x8d, 0, [4, 172800000]), "a goaway of many words": message(0x8d, 0, [4, 1], long),
  "an error of a megabyte": message(0x86, 0, [1, 66], [4, 0], "x".repeat(MIB)), "an error of many words": message(0x86, 0, [1, 66], [4, 0], long),
  "an unknown message of a megabyte": message(0xee, 0, "x".repeat(MIB)),
};
for (const [name, bytes] of Object.entries(malformed)) {
  test(`v2: ${name} ends the session`, LIMIT, async (t) => {
    protocolError(await endingAfter(t, {}, ({ ws }) => ws.send(Buffer.from(bytes))));
  });
}

/** For open sockets: kind, then [type, payload...] for its id. */
const misplaced = {
  "credit of 0": ["tcp", 0x8b, [4, 0]], "data for a listener": ["listener", 0x82, "x"], "data for a datagram socket": ["udp", 0x82, "x"],
  "a datagram for a stream": ["tcp", 0x88, [2, 1], [2, 1], "a"], "a datagram for a listener": ["listener", 0x88, [2, 1], [2, 1], "a"],
  "credit for a listener": ["listener", 0x8b, [4, 1]], "credit for a datagram socket": ["udp", 0x8b, [4, 1]], "a connection for a stream": ["tcp", 0x84, [8, NODE_ID], "a:1"],
  "the end of a listener's data": ["listener", 0x8c], "connected twice": ["tcp", 0x81, "{}"], "bound twice": ["udp", 0x8a, [2, 1]], "listening for a stream": ["tcp", 0x83, [2, 1]],
  "addresses for a socket": ["tcp", 0x89, "[]"], "a connection with the client's id": ["listener", 0x84, [8, 77], "a:1"],
  "a connection with its own id": ["listener", 0x84, [8, 2], "a:1"], "a remote of a kilobyte": ["listener", 0x84, [8, NODE_ID], "x".repeat(1024)],
  "a datagram from a kilobyte": ["udp", 0x88, [2, 1], [2, 1024], "x".repeat(1024)], "a closing of many words": ["tcp", 0x85, [1, 0], long],
};
for (const [name, [kind, type, ...payload]] of Object.entries(misplaced)) {
  test(`v2: ${name} ends the session`, LIMIT, async (t) => {
    protocolError(await endingAfter(t, { kinds: [kind] }, (peer, sockets) => peer.send(type, sockets[kind].id, ...payload)));
  });
}

test("v2: data before the socket is open, after its end, or a second end", LIMIT, async (t) => {
  protocolError(await endingAfter(t, {}, async (peer, sockets, client) => {
    client.socket("tcp", "a", 1);
    peer.send(0x82, (await opening(peer)).id, "x");
  }));
  for (const type of [0x82, 0x8c]) {
    protocolError(await endingAfter(t, { kinds: ["tcp"] }, (peer, { tcp }) => {
      peer.send(0x8c, tcp.id);
      peer.send(type, tcp.id);
    }));
  }
});

test("v2: an id is accepted once at a time", LIMIT, async (t) => {
  protocolError(await endingAfter(t, { kinds: ["listener"] }, (peer, { listener }) => {
    for (let i = 0; i < 2; i++) peer.send(0x84, listener.id, [8, NODE_ID], "a:1");
  }));
});

test("v1: an id that the node took for a connection is no id of the client's own", LIMIT, async (t) => {
  const { client, peer, sockets: { listener } } = await session(t, { language: "v1 JSON", kinds: ["listener"] });
  const accepting = new Promise((resolve) => { listener.onaccept = resolve; });
  peer.ws.send(JSON.stringify({ ev: "accepted", id: listener.id, conn_id: listener.id + 1, remote: "a:1" }));
  const accepted = await within(5000, accepting, "the connection");
  const own = client.socket("tcp", "b", 1);
  assert.equal(own.id, listener.id + 2);
  const ends = [accepted, own].map((socket) => new Promise((resolve) => { socket.onclosed = resolve; }));
  peer.ws.terminate();
  for (const { code } of await within(5000, Promise.all(ends), "the ends of both")) assert.equal(code, "connection_lost");
});

test("v2: only `resolved`, `error` and `denied` answer a lookup", LIMIT, async (t) => {
  for (const [type, body, ends] of [
    [0x81, '{"addrs":5}', false], [0x82, "x", false], [0x90, JSON.stringify({ ...HELLO, addrs: [{}] }), true], [0x8d, [4, 5], true],
  ]) {
    const { client, peer } = await session(t);
    const lookup = client.resolve("a.example");
    lookup.catch(() => {});
    const { id } = await peer.request((request) => request.type === 0x08);
    peer.send(type, id, body);
    if (!ends) peer.send(0x89, id, '["192.0.2.1"]');
    if (ends) await assert.rejects(within(5000, lookup, "the end"), { code: "protocol_error" });
    else assert.deepEqual(await within(5000, lookup, "the answer"), ["192.0.2.1"]);
  }
});

test("v2: addresses by the million, or that are none", LIMIT, async (t) => {
  for (const addrs of [JSON.stringify(Array(1e6).fill("1.1.1.1")), JSON.stringify(Array(4097).fill("::1")), '["x",1]', "{}", "7", "null", '"1.1.1.1"', '{"length":1}', `["${"x".repeat(65)}"]`,
    '[{"toString":1}]', '{"length":1,"every":1,"forEach":1}', '{"length":0,"forEach":{}}', '{"length":{"valueOf":1,"toString":1}}']) {
    let lookup;
    protocolError(await endingAfter(t, {}, async (peer, sockets, client) => {
      lookup = client.resolve("a");
      lookup.catch(() => {});
      peer.send(0x89, (await peer.request(({ type }) => type === 0x08)).id, addrs);
    }));
    await assert.rejects(lookup, { code: "protocol_error" });
  }
});

test("v2: a `connected` whose fields are none, or that is no object", LIMIT, async (t) => {
  for (const fields of ['{"local":{"toString":1}}', '{"remote":{"toString":1}}', '{"alpn":{"toString":1}}', '{"alpn":[]}', '{"local":7}', "null", '"abc"', "[]", "7", "", "{"]) {
    let connecting;
    protocolError(await endingAfter(t, {}, async (peer, sockets, client) => {
      connecting = client.connect("a", 1);
      connecting.catch(() => {});
      peer.send(0x81, (await opening(peer)).id, fields);
    }));
    await assert.rejects(connecting, { code: "protocol_error" }, fields);
  }
});

test("a large message that is not data is refused before it is decoded, which would block the page", LIMIT, async (t) => {
  const most = (method) => Math.max(0, ...method.mock.calls.map(({ arguments: [input] }) => input.length));
  const values = `[${"[],".repeat(7 * MIB)}0]`;
  for (const [language, first, last] of [
    ["v2", message(0x90, 0, '{"a":'), "}"], ["v2", message(0x89, 1), ""], ["v2", message(0x81, 1, '{"a":'), "}"], ["v2", message(0x88, 1, [2, 1], [2, 1], "a"), ""], ["v1 binary", message(0x89, 1), ""],
    ["v1 JSON", '{"ev":"data","id":1,"data":', "}"], ["v1 JSON", '{"ev":"data","id":1,"data":"eA==","more":', "}"], ["v1 JSON", '{"more":', ',"ev":"data"}'], ["v1 JSON", "", ""],
  ]) {
    const decode = t.mock.method(TextDecoder.prototype, "decode");
    const parse = t.mock.method(JSON, "parse");
    protocolError(await endingAfter(t, { language }, ({ ws }) => ws.send(typeof first === "string" ? first + values + last : Buffer.concat([first, Buffer.from(values + last)]))));
    for (const method of [decode, parse]) {
      assert.ok(most(method) < MIB / 4, `${most(method)} are decoded of ${first}`);
      method.mock.restore();
    }
  }
});

test("v1: text with many MiB of data is read, however it is spaced", LIMIT, async (t) => {
  for (const [before, after] of [['{"ev":"data","id":ID,"data":"', '"}'], ['{"ev": "data", "id": ID, "data": "', '", "more": 1}\n']]) {
    const { peer, sockets: { tcp } } = await session(t, { language: "v1 JSON", kinds: ["tcp"] });
    const arriving = new Promise((resolve) => { tcp.ondata = ({ length }) => resolve(length); });
    peer.ws.send(before.replace("ID", tcp.id) + "AAAA".repeat(5 * MIB) + after);
    assert.equal(await within(10000, arriving, "the data"), 15 * MIB);
  }
});

test("v1: fields of a wrong type, range or size end the session", LIMIT, async (t) => {
  const tcp = ["tcp", "listener", "udp"];
  const events = [
    "null", "[]", "7", '"x"', "{", { ev: "data", data: "eA==" }, { ev: "data", id: "1", data: "eA==" }, { ev: "data", id: -1, data: "eA==" }, { ev: "data", id: 2 ** 53, data: "eA==" },
    { ev: "data", id: "tcp", data: null }, { ev: "data", id: "tcp", data: 1234 }, { ev: "data", id: "tcp", data: "*" }, { ev: "data", id: "tcp" },
    { ev: "listening", id: "listener", port: 65536 }, { ev: "listening", id: "listener", port: "1" }, { ev: "listening", id: "listener" },
    { ev: "accepted", id: "listener", conn_id: "5", remote: "a:1" }, { ev: "accepted", id: "listener", remote: "a:1" }, { ev: "accepted", id: "listener", conn_id: 0, remote: "a:1" },
    { ev: "accepted", id: "listener", conn_id: NODE_ID, remote: 1 }, { ev: "error", id: 0, msg: {} }, { ev: "error", id: 0, msg: long }, { ev: "error", id: 0, msg: OBJECTS[0] }, { ev: "listening", id: "listener", port: OBJECTS[1] }, { ev: OBJECTS[0], id: 0 }, { id: 0 },
    '{"ev":"data","id":{"toString":1},"data":"eA=="}', { ev: "data", id: "tcp", data: OBJECTS[0] }, { ev: "denied", id: 0, msg: "x", retry_after_ms: "1" },
    { ev: "data_from", id: "udp", data: "eA==", addr: 1, port: 1 }, { ev: "data_from", id: "udp", data: "eA==", port: 1 }, { ev: "data_from", id: "udp", data: "eA==", addr: "a", port: 1e9 },
    { ev: "data_from", id: "udp", data: "eA==".repeat(100000), addr: "a", port: 1 }, { ev: "closed", id: "tcp", msg: 7 }, { ev: "resolved", id: "tcp", addrs: [] }, { ev: "connected", id: "tcp" },
  ];
  for (const event of events) {
    const error = await endingAfter(t, { language: "v1 JSON", kinds: tcp }, (peer, sockets) => {
      peer.ws.send(typeof event === "string" ? event : JSON.stringify({ ...event, id: sockets[event.id]?.id ?? event.id }));
    });
    protocolError(error);
  }
});

test("v1: what newer nodes add is ignored, and a word that is not known is `internal`", LIMIT, async (t) => {
  const { client, peer, sockets } = await session(t, { language: "v1 JSON", kinds: ["tcp"] });
  peer.ws.send(JSON.stringify({ ev: "later", id: 5, data: 7 }));
  for (const code of ["later", "constructor", "connection_lost", 7, {}]) {
    const failing = client.connect("b", 1);
    const { id } = await peer.request((request) => request.op === "connect" && request.addr === "b" && !request.seen && (request.seen = true));
    peer.ws.send(JSON.stringify({ ev: "error", id, msg: "no", code, more: {} }));
    await assert.rejects(failing, { code: "internal", message: "no" });
  }
  assert.equal(sockets.tcp.state, "open");
});

test("v2: a node that sends beyond its credit is cut off, and nothing of it is kept", LIMIT, async (t) => {
  const { client, peer, sockets: { tcp } } = await session(t, { kinds: ["tcp"] });
  const gone = next(client, "disconnected");
  const chunk = new Uint8Array(HELLO.window);
  for (let i = 0; i < 64; i++) peer.send(0x82, tcp.id, chunk);
  protocolError((await gone).error);
  assert.ok(tcp.waitingBytes <= HELLO.window, `${tcp.waitingBytes} bytes wait`);
  assert.equal(tcp.ending.code, "protocol_error");
});

test("v2: credit that adds up to 2 GiB ends the session", LIMIT, async (t) => {
  protocolError(await endingAfter(t, { kinds: ["tcp"] }, (peer, { tcp }) => {
    for (let i = 0; i < 2; i++) peer.send(0x8b, tcp.id, [4, 2 ** 30]);
  }));
  protocolError(await endingAfter(t, { kinds: ["tcp"] }, (peer, { tcp }) => peer.send(0x8b, tcp.id, [4, 2 ** 32 - 1])));
});

for (const language of ["v2", "v1 binary", "v1 JSON"]) {
  test(`of datagrams that nobody reads the newest are kept, empty ones too, and the others are counted (${language})`, LIMIT, async (t) => {
    const { client, peer, sockets: { udp } } = await session(t, { language, kinds: ["udp"] });
    const tell = (data) => {
      if (language === "v1 JSON") peer.ws.send(JSON.stringify({ ev: "data_from", id: udp.id, addr: "a", port: 1, data: data.toString("base64") }));
      else peer.send(0x88, udp.id, [2, 1], [2, 1], "a", data);
    };
    const counted = (count) => within(10000, (async () => { while (udp.dropped + udp.waitingDatagrams < count) await new Promise((resolve) => setImmediate(resolve)); })());
    for (let i = 0; i < 1000; i++) tell(Buffer.alloc(1000, String(i % 10)));
    await counted(1000);
    assert.ok(udp.waitingDatagrams < 263, `${udp.waitingDatagrams} wait`);
    for (let i = 0; i < 9; i++) tell(Buffer.from(`last ${i}`));
    for (let i = 0; i < 5000; i++) tell(Buffer.alloc(0));
    await counted(6009);
    assert.ok(udp.waitingDatagrams < 2049, `${udp.waitingDatagrams} wait`);
    tell(Buffer.from("the newest"));
    await counted(6010);
    const read = [];
    udp.ondatagram = (data) => read.push(Buffer.from(data).toString());
    assert.equal(read.at(-1), "the newest");
    assert.equal(read.length + udp.dropped, 6010);
    assert.equal(client.openSockets.length, 1);
  });
}

test("connections that nobody takes are bounded by number and by the bytes that they may hold; the others are reset", LIMIT, async (t) => {
  for (const [window, most] of [[HELLO.window, 256], [16 << 20, 4], [1000, 256]]) {
    const { client, peer, sockets: { listener } } = await session(t, { hello: { ...HELLO, window }, kinds: ["listener"] });
    for (let i = 0; i < 300; i++) peer.send(0x84, listener.id, [8, NODE_ID + i], "a:1");
    await settle(client, peer);
    assert.equal(listener.waitingAccepts, most);
    assert.equal(peer.requests.filter(({ type }) => type === 0x0c).length, 300 - most);
  }
});

test("connections that nobody takes are bounded over all listeners together", LIMIT, async (t) => {
  for (const [window, most] of [[HELLO.window, 256], [16 << 20, 4]]) {
    const { client, peer, sockets: { listener } } = await session(t, { hello: { ...HELLO, window }, kinds: ["listener"] });
    const listeners = [listener, client.socket("listener", "a", 2), client.socket("listener", "a", 3)];
    for (const { id } of listeners.slice(1)) peer.send(0x83, id, [2, 1]);
    for (let i = 0; i < 600; i++) peer.send(0x84, listeners[i % 3].id, [8, NODE_ID + i], "a:1");
    await settle(client, peer);
    assert.equal(listeners.reduce((sum, { waitingAccepts }) => sum + waitingAccepts, 0), most);
    assert.equal(peer.requests.filter(({ type }) => type === 0x0c).length, 600 - most);
    const taken = [];
    for (const each of listeners) each.onaccept = (socket) => taken.push(socket);
    assert.equal(taken.length, most);
    peer.send(0x84, listener.id, [8, NODE_ID + 600], "a:1");
    await settle(client, peer);
    assert.equal(taken.length, most + 1, "there is room again");
  }
});

test("connections without end leave no more than is stated, whether a program takes them or not", LIMIT, async (t) => {
  for (const isTaken of [false, true]) {
    const { client, peer, sockets: { listener } } = await session(t, { hello: { ...HELLO, max_sockets: 500 }, kinds: ["listener"] });
    if (isTaken) listener.onaccept = () => {};
    for (let i = 0; i < 100000; i++) {
      peer.send(0x84, listener.id, [8, NODE_ID + i], "a:1");
      if (i % 1000 === 0) await settle(client, peer);
    }
    await settle(client, peer);
    assert.equal(client.openSockets.length, isTaken ? 500 : 257);
    assert.equal(listener.waitingAccepts, isTaken ? 0 : 256);
  }
});

test("what a listener's connections hold unread is bounded over all of them: the one that holds the most ends", LIMIT, async (t) => {
  const { client, peer, sockets: { listener, tcp } } = await session(t, { hello: { ...HELLO, window: MIB }, kinds: ["listener", "tcp"] });
  const taken = [];
  listener.onaccept = (socket) => taken.push(socket);
  peer.send(0x82, tcp.id, new Uint8Array(MIB));
  for (let i = 0; i < 300; i++) {
    peer.send(0x84, listener.id, [8, NODE_ID + i], "a:1");
    peer.send(0x82, NODE_ID + i, new Uint8Array(i ? MIB / 2 : MIB));
    if (i % 50 === 0) await settle(client, peer);
  }
  await settle(client, peer);
  const held = taken.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
  assert.ok(held <= 128 * MIB && held > 126 * MIB, `${held} bytes`);
  const ended = taken.filter(({ ending }) => ending);
  assert.ok(ended.includes(taken[0]) && ended.every(({ ending, waitingBytes }) => ending.code === "too_slow" && waitingBytes === 0));
  assert.equal(peer.requests.filter(({ type }) => type === 0x0c).length, ended.length);
  assert.equal(tcp.waitingBytes, MIB, "what the program opened itself has its credit");
  const reader = taken.at(-1);
  let count = 0;
  reader.ondata = ({ length }) => { count += length; reader.consumed(length); };
  for (let i = 0; i < 256; i++) {
    peer.send(0x82, reader.id, new Uint8Array(MIB / 2));
    await settle(client, peer);
  }
  assert.equal(count, 128 * MIB + MIB / 2, "who reads may go on for ever");
  assert.equal(reader.state, "open");
});

test("v1: connections that have ended before anybody took them count with what they hold", LIMIT, async (t) => {
  const { client, peer, sockets: { listener } } = await session(t, { language: "v1 binary", kinds: ["listener"] });
  for (let i = 0; i < 20; i++) {
    peer.send(0x84, listener.id, [8, 1000 + i], "a:1");
    for (let j = 0; j < 3; j++) peer.send(0x82, 1000 + i, new Uint8Array(4 * MIB));
    peer.send(0x85, 1000 + i);
    await settle(client, peer);
    assert.ok(listener.held <= 64 * MIB, `${listener.held / MIB} MiB`);
  }
  assert.equal(listener.state, "open");
});

test("connections beyond what the node may have open at once are reset, though the program takes them", LIMIT, async (t) => {
  const { client, peer, sockets: { listener } } = await session(t, { hello: { ...HELLO, max_sockets: 10 }, kinds: ["listener"] });
  let count = 0;
  listener.onaccept = () => count++;
  for (let i = 0; i < 30; i++) peer.send(0x84, listener.id, [8, NODE_ID + i], "a:1");
  await settle(client, peer);
  assert.equal(count, 9, "ten with the listener");
  assert.equal(peer.requests.filter(({ type }) => type === 0x0c).length, 21);
  assert.equal(client.openSockets.length, 10);
});

test("v1: what the program does not read is bounded over all sockets: the one that holds the most ends", LIMIT, async (t) => {
  const { client, peer, sockets: { tcp, listener } } = await session(t, { language: "v1 binary", kinds: ["tcp", "listener"] });
  const chunk = new Uint8Array(4 * MIB);
  const take = (id, count) => { for (let i = 0; i < count; i++) peer.send(0x82, id, chunk); };
  peer.send(0x84, listener.id, [8, 1000], "a:1");
  peer.send(0x84, listener.id, [8, 1001], "a:1");
  take(1000, 3);
  take(1001, 3);
  take(tcp.id, 9);
  await settle(client, peer);
  const waiting = client.openSockets.filter(({ kind }) => kind === "accepted");
  const held = () => waiting.map(({ waitingBytes }) => waitingBytes / MIB);
  assert.deepEqual([tcp.waitingBytes / MIB, ...held()], [36, 12, 12]);
  take(tcp.id, 2);
  await settle(client, peer);
  assert.equal(tcp.ending.code, "too_slow");
  assert.equal(tcp.waitingBytes, 0);
  assert.deepEqual(held(), [12, 12], "the others are not touched");
  take(1000, 10);
  await settle(client, peer);
  assert.deepEqual(held(), [52, 12], "each byte counts once");
  take(1001, 1);
  await settle(client, peer);
  assert.deepEqual(held(), [0, 16]);
  assert.equal(waiting[0].ending.code, "too_slow", "one that waits to be taken ends as any other");
  assert.equal(listener.state, "open");
  const reading = client.socket("tcp", "b", 1);
  const { id } = await peer.request(({ id }) => id === reading.id);
  peer.send(0x81, id);
  let count = 0;
  reading.ondata = ({ length }) => { count += length; };
  take(id, 40);
  await settle(client, peer);
  assert.equal(count, 160 * MIB, "who reads may go on for ever");
});

test("a node that does not read is given up before what is to be said to it fills the memory", LIMIT, async (t) => {
  let unsent = 0;
  class Full extends WebSocket {
    get bufferedAmount() { return unsent || super.bufferedAmount; }
  }
  const node = await fake(t);
  const client = connectClient(t, node.url, { ...ONCE, WebSocket: Full });
  await client.ready();
  unsent = 17 * MIB;
  await assert.rejects(within(5000, client.resolve("a"), "the lookup"), { code: "too_slow", message: /does not read/ });
});

test("an error for an open stream ends it on both sides, and what has arrived can be read", LIMIT, async (t) => {
  for (const [language, say, drop] of [
    ["v2", (peer, id) => peer.send(0x86, id, [1, 49], [4, 0], "no"), ({ type }) => type === 0x0c],
    ["v1 binary", (peer, id) => peer.send(0x86, id, "no"), ({ type }) => type === 0x05],
    ["v1 JSON", (peer, id) => peer.ws.send(JSON.stringify({ ev: "error", id, msg: "no" })), ({ op }) => op === "close"],
  ]) {
    const { peer, sockets: { tcp } } = await session(t, { language, kinds: ["tcp"] });
    if (language === "v1 JSON") peer.ws.send(JSON.stringify({ ev: "data", id: tcp.id, data: "eA==" }));
    else peer.send(0x82, tcp.id, "x");
    say(peer, tcp.id);
    await within(5000, peer.request((request) => request.id === tcp.id && drop(request)), "the reset");
    assert.equal(tcp.ending.code, language === "v2" ? "unknown_socket" : "internal");
    const read = [];
    tcp.ondata = (chunk) => read.push(...chunk);
    assert.deepEqual(read, [120]);
  }
});

test("a node that never answers a close is not waited for", LIMIT, async (t) => {
  const { client, peer, sockets: { tcp } } = await session(t, { kinds: ["tcp"] });
  const ended = new Promise((resolve) => { tcp.onclosed = resolve; });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  tcp.close();
  t.mock.timers.tick(14999);
  assert.equal(tcp.ending, null);
  t.mock.timers.tick(1);
  t.mock.timers.reset();
  assert.equal((await ended).code, "too_slow");
  await settle(client, peer);
  assert.equal(peer.requests.at(-2).type, 0x08);
  assert.ok(peer.requests.some(({ type, id }) => type === 0x0c && id === tcp.id), "and told to drop it");
});

test("a node that lets the client in and breaks the protocol each time is asked more and more seldom", LIMIT, async (t) => {
  const node = await fake(t, { onconnection: (peer) => peer.send(0x82, 0, "x") });
  const client = connectClient(t, node.url, { reconnect: { baseMs: 4, capMs: 2 ** 31 - 1 } });
  const { random } = Math;
  Math.random = () => 1;
  t.after(() => { Math.random = random; });
  const waits = [];
  for (let i = 0; i < 6; i++) waits.push((await next(client, "disconnected")).retryInMs);
  assert.deepEqual(waits, [4, 8, 16, 32, 64, 128]);
  assert.equal(node.peers.length, 6);
});

/** Random delays of the client are always the longest, with times in ms that double. */
function latest(t) {
  const { random } = Math;
  Math.random = () => 1;
  t.after(() => { Math.random = random; });
  return { reconnect: { baseMs: 4, capMs: 2 ** 31 - 1 } };
}

test("a node that lets the client in and leaves each time is asked more and more seldom, until a session lasts", LIMIT, async (t) => {
  const node = await fake(t, { onconnection: ({ ws }) => ws.close(1001, "draining") });
  const { now } = performance;
  t.after(() => { delete performance.now; });
  let passed = 0;
  performance.now = () => now.call(performance) + passed;
  const client = connectClient(t, node.url, latest(t));
  const waits = [];
  for (let i = 0; i < 5; i++) waits.push((await next(client, "disconnected")).retryInMs);
  client.addEventListener("connected", () => { passed += 10000; }, { once: true });
  for (let i = 0; i < 2; i++) waits.push((await next(client, "disconnected")).retryInMs);
  assert.deepEqual(waits, [4, 8, 16, 32, 64, 4, 8]);
});

test("a node that says goaway each time and never closes is asked more and more seldom, and left but for four connections", LIMIT, async (t) => {
  const leave = (peer) => peer.send(0x8d, 0, [4, 0], "bye");
  const node = await fake(t, { onconnection: (peer) => node.peers.length > 1 && leave(peer) });
  const client = connectClient(t, node.url, latest(t));
  const socket = client.socket("tcp", "a", 1);
  const ended = new Promise((resolve) => { socket.onclosed = resolve; });
  await client.ready();
  connected(node.peers[0], (await opening(node.peers[0])).id);
  await settle(client, node.peers[0]);
  const begun = performance.now();
  leave(node.peers[0]);
  for (let i = 0; i < 4; i++) await next(client, "goaway");
  assert.equal(socket.ending, null, "it goes on while its node drains");
  for (let i = 0; i < 3; i++) await next(client, "goaway");
  assert.equal((await ended).code, "draining");
  // 0, 4, 12, 28, 60 and 124; a timer can be early by less than one.
  assert.ok(performance.now() - begun > 220, `${performance.now() - begun} ms`);
  const gone = node.peers.slice(0, 3).map(({ ws }) => ws.readyState < 2 && new Promise((resolve) => ws.once("close", resolve)));
  await within(5000, Promise.all(gone), "the close of the oldest");
  assert.deepEqual(node.peers.map(({ ws }) => ws.readyState), [3, 3, 3, 1, 1, 1, 1]);
});

test("a program that opens and opens does not dial a node that says goaway each time without pause", LIMIT, async (t) => {
  const node = await fake(t, { onconnection: (peer) => peer.send(0x8d, 0, [4, 60000], "bye") });
  const client = connectClient(t, node.url);
  const leaving = [];
  client.addEventListener("goaway", () => {
    leaving.push(node.peers.length);
    client.socket("tcp", "a", 1);
  });
  while (leaving.length < 3) await next(client, "goaway");
  // Messages in transit had time to arrive: another WebSocket would have been dialed as the program opened.
  assert.equal(client.ws, null);
  assert.deepEqual(leaving, [1, 2, 3]);
});

test("goaway in a day is waited for, unless something is opened", LIMIT, async (t) => {
  const node = await fake(t);
  const client = connectClient(t, node.url);
  await client.ready();
  const leaving = next(client, "goaway");
  node.peers[0].send(0x8d, 0, [4, 86400000], "bye");
  assert.equal((await leaving).reconnectInMs, 86400000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(node.peers.length, 1);
});

// The codecs against the tables of the protocol, byte by byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryCodec } from "../lib/codec-binary.js";
import { JsonCodec } from "../lib/codec-json.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const buffer = (...parts) => {
  const all = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : Buffer.from(part))));
  return new Uint8Array(all).buffer;
};
const text = (string) => Buffer.from(string);

const v1 = new BinaryCodec(1);
const v2 = new BinaryCodec(2);
const json = new JsonCodec();

const ID = 0x10000000000001; // 2^52 + 1
const id = "0010000000000001";

test("requests in binary", () => {
  const host = "612e62"; // a.b
  const rows = [
    [v1.open("tcp", 1, "a.b", 80), `010000000000000001${"0050"}${host}`],
    [v1.open("listener", 1, "a.b", 80), `020000000000000001${"0050"}${host}`],
    [v1.listen(1, 128), "03000000000000000100000080"],
    [v1.send(ID, text("hi")), `04${id}6869`],
    [v1.close(ID), `05${id}`],
    [v1.open("udp", 1, "a.b", 0xffff), `060000000000000001ffff${host}`],
    [v1.sendTo(1, "a.b", 53, text("hi")), `07000000000000000100350003${host}6869`],
    [v1.resolve(1, "a.b"), `080000000000000001${host}`],
    [v1.open("tls", 1, "a.b", 443), `09000000000000000101bb${host}`],
    [v2.window(2, 0x12345678), "0a000000000000000212345678"],
    [v2.shutdown(2), "0b0000000000000002"],
    [v2.reset(2), "0c0000000000000002"],
    [v1.open("udp-listener", 1, "a.b", 80), `0d0000000000000001${"0050"}${host}`],
    [v1.send(1, new Uint8Array()), "040000000000000001"],
    [v1.open("tcp", 2 ** 52 - 1, "a.b", 0), `01000fffffffffffff${"0000"}${host}`],
  ];
  for (const [bytes, expected] of rows) assert.equal(hex(bytes), expected);
});

test("a payload is where its view is, not where its buffer starts", () => {
  const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
  assert.equal(hex(v2.send(1, view)), "0400000000000000010203");
  assert.equal(hex(v2.sendTo(1, "a", 1, view)), "0700000000000000010001000161" + "0203");
});

test("events in binary, v1", () => {
  const rows = [
    [["81", id], { ev: "connected", id: ID }],
    [["83", id, "1f90"], { ev: "listening", id: ID, port: 8080 }],
    [["84", "0000000000000007", id, text("1.2.3.4:5")], { ev: "accepted", id: 7, connId: ID, remote: "1.2.3.4:5" }],
    [["85", id], { ev: "closed", id: ID }],
    [["86", id, text("no")], { ev: "error", id: ID, message: "no" }],
    [["87", id, text("no")], { ev: "denied", id: ID, message: "no" }],
    [["89", id, text('["1.2.3.4","::1"]')], { ev: "resolved", id: ID, addrs: ["1.2.3.4", "::1"] }],
    [["8a", id, "0035"], { ev: "udp_bound", id: ID, port: 53 }],
  ];
  for (const [parts, expected] of rows) assert.deepEqual(v1.decode(buffer(...parts)), expected);
  const { data, ...event } = v1.decode(buffer("88", id, "00350003", text("a.b"), text("hi")));
  assert.deepEqual(event, { ev: "data_from", id: ID, port: 53, addr: "a.b" });
  assert.equal(Buffer.from(data).toString(), "hi");
  assert.equal(Buffer.from(v1.decode(buffer("82", id, text("hi"))).data).toString(), "hi");
});

test("events that v2 has or has otherwise", () => {
  const rows = [
    [["81", id, text('{"local":"1.1.1.1:2","remote":"[::1]:3","alpn":"h2"}')],
      { ev: "connected", id: ID, local: "1.1.1.1:2", remote: "[::1]:3", alpn: "h2" }],
    [["85", id, "02", text("gone")], { ev: "closed", id: ID, code: "target_reset", message: "gone" }],
    [["86", id, "13", "000003e8", text("slow")],
      { ev: "error", id: ID, code: "connect_rate", retryAfterMs: 1000, message: "slow" }],
    [["87", id, "10", "00000000", text("no")],
      { ev: "denied", id: ID, code: "policy_denied", retryAfterMs: 0, message: "no" }],
    [["8b", id, "00010000"], { ev: "window", id: ID, bytes: 65536 }],
    [["8c", id], { ev: "end", id: ID }],
    [["8d", "0000000000000000", "000001f4", text("bye")], { ev: "goaway", id: 0, reconnectInMs: 500, message: "bye" }],
    [["90", "0000000000000000", text('{"window":5,"ev":"closed"}')],
      { ev: "hello", id: 0, window: 5, max_message: 0, max_sockets: 0, heartbeat_ms: 0 }],
    [["85", id, "c8"], { ev: "closed", id: ID, code: "internal", message: "" }],
  ];
  for (const [parts, expected] of rows) assert.deepEqual(v2.decode(buffer(...parts)), expected);
  for (const type of ["8b", "8c", "8d", "90"]) assert.equal(v1.decode(buffer(type, id, "00000000")), null, "v1 has no such type");
});

test("an unknown type is nothing; what is cut short throws", () => {
  assert.equal(v2.decode(buffer("ff", id)), null);
  const whole = [
    buffer("83", id, "1f90"), buffer("84", id, id, text("r")), buffer("8b", id, "00010000"), buffer("85", id, "00"),
    buffer("86", id, "1300000000"), buffer("88", id, "00350003", text("a.b")), buffer("89", id, text("[]")),
    buffer("90", id, text("{}")), buffer("81", id, text("{}")),
  ];
  for (const message of whole) {
    assert.doesNotThrow(() => v2.decode(message));
    const least = message.byteLength - (new Uint8Array(message)[0] === 0x84 ? 2 : 1);
    assert.throws(() => v2.decode(message.slice(0, least)));
    assert.throws(() => v2.decode(message.slice(0, 5)));
  }
  assert.throws(() => v2.decode(new ArrayBuffer(0)));
});

test("requests in JSON", () => {
  const rows = [
    [json.open("tcp", 1, "a.b", 80), { op: "connect", id: 1, addr: "a.b", port: 80 }],
    [json.open("tls", 1, "a.b", 80), { op: "connect_tls", id: 1, addr: "a.b", port: 80 }],
    [json.open("udp", 1, "a.b", 80), { op: "connect_udp", id: 1, addr: "a.b", port: 80 }],
    [json.open("listener", 1, "a.b", 80), { op: "bind", id: 1, addr: "a.b", port: 80 }],
    [json.open("udp-listener", 1, "a.b", 80), { op: "bind_udp", id: 1, addr: "a.b", port: 80 }],
    [json.listen(1, 5), { op: "listen", id: 1, backlog: 5 }],
    [json.send(ID, text("\u00ff")), { op: "send", id: ID, data: "w78=" }],
    [json.sendTo(1, "a.b", 53, text("hi")), { op: "send_to", id: 1, addr: "a.b", port: 53, data: "aGk=" }],
    [json.close(1), { op: "close", id: 1 }],
    [json.resolve(1, "a.b"), { op: "resolve", id: 1, name: "a.b" }],
  ];
  for (const [message, expected] of rows) assert.deepEqual(JSON.parse(message), expected);
});

test("events in JSON, with what newer nodes add and without", () => {
  const rows = [
    [{ ev: "connected", id: 1 }, { ev: "connected", id: 1, local: undefined, remote: undefined, alpn: undefined }],
    [{ ev: "connected", id: 1, local: "l:1", remote: "r:2" }, { ev: "connected", id: 1, local: "l:1", remote: "r:2", alpn: undefined }],
    [{ ev: "listening", id: 1, port: 8080 }, { ev: "listening", id: 1, port: 8080 }],
    [{ ev: "accepted", id: 1, conn_id: ID, remote: "r:2" }, { ev: "accepted", id: 1, connId: ID, remote: "r:2" }],
    [{ ev: "closed", id: 1 }, { ev: "closed", id: 1, code: undefined, message: undefined, retryAfterMs: undefined }],
    [{ ev: "denied", id: 1, msg: "no", code: "denylisted", retry_after_ms: 5 },
      { ev: "denied", id: 1, message: "no", code: "denylisted", retryAfterMs: 5 }],
    [{ ev: "error", id: 0, msg: "no" }, { ev: "error", id: 0, message: "no", code: undefined, retryAfterMs: undefined }],
    [{ ev: "resolved", id: 1, addrs: ["::1"] }, { ev: "resolved", id: 1, addrs: ["::1"] }],
    [{ ev: "udp_bound", id: 1, port: 53 }, { ev: "udp_bound", id: 1, port: 53 }],
  ];
  for (const [message, expected] of rows) assert.deepEqual(json.decode(JSON.stringify(message)), expected);
  assert.equal(hex(json.decode('{"ev":"data","id":1,"data":"w78="}').data), "c3bf");
  assert.equal(hex(json.decode('{"ev":"data_from","id":1,"data":"aGk=","addr":"a","port":1}').data), "6869");
  assert.equal(json.decode('{"ev":"later","id":1}'), null);
  for (const nonsense of ["", "{", '{"ev":"data","id":1,"data":"*"}', "null"]) assert.throws(() => json.decode(nonsense));
});

test("base64 of every length and byte", () => {
  for (const length of [0, 1, 2, 3, 255, 8191, 8192, 8193, 70000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) & 255);
    const { data } = JSON.parse(json.send(1, bytes));
    assert.equal(data, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(json.decode(JSON.stringify({ ev: "data", id: 1, data })).data, bytes);
  }
});

// Every option and argument is checked when it is passed: the error has one class and one code, and names the value and the allowed ones.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { WasmnetClient } from "../wasmnet-client.js";
import { startFakeNode } from "./fake-node.js";
import { WebSocket } from "./ws.js";

let node;
let client;
before(async () => {
  node = await startFakeNode();
  client = new WasmnetClient(node.url, { WebSocket });
  await client.ready();
});
test.after(async () => {
  client.disconnect();
  await node.close();
});

const HOSTS = [undefined, null, "", 5, "a:80", "http://a", "//a", "a/b", "a b", "a\n", "a?b", "a#b", "u@a", "[a]", "[::1]:80", ["a"], {}, "a".repeat(255),
  "::1%lo", "fe80::1%eth0", "[::1%lo]", "127.0.0.1%lo"];
const PORTS = [undefined, null, -1, 65536, 1.5, NaN, "80", Infinity, [80]];
const IDS = [undefined, null, 0, -1, 1.5, "1", { id: 1 }];
const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });
const DATA = [undefined, null, 5, true, {}, [1, 2], new Map(), Symbol("s"), detached, detached.buffer];
const CALLBACKS = [5, "f", {}, true];
const OPTIONS = [null, 5, "s3cret", true, [], ["s3cret"]];
const TIMES = [0, -1, 1.5, NaN, Infinity, 2 ** 31, "1", null];
const BACKLOGS = [-1, 1.5, 65536, "5", null];
const SIGNALS = [5, "s", {}, new AbortController(), () => {}, new EventTarget(), { addEventListener() {} }, { aborted: false, addEventListener: 1 }];
const URLS = [
  undefined, null, "", "localhost:9300", "localhost", "/", "//a/", "http://a/", "https://a/", "file:///a", "ws:", "ws://", "ws:///a", "ws://a:b/", "ws://a:99999/",
  "ws://a/#", "ws://a/#b", "ws://a b/", 5, {}, [],
  { toString() { throw new Error("s3cret"); } }, Object.create(null), Symbol("s"),
];
const TARGETS = [undefined, null, 5, true, "", "a", "a:", ":", "a:b", "::1:80", "a:80:80", "http://a:80", "a:123456", "a:99999", {}, { hostname: "a" }, { port: 80 }, []];

const make = (url, options) => new WasmnetClient(url, { WebSocket, ...options }).disconnect();
const inOptions = (name) => (value) => make(node.url, { [name]: value });

/** [name, invalid values, the call, the error's text] */
const TABLE = [
  ["url", URLS, (url) => make(url), /^the url must be absolute, with ws:\/\/ or wss:\/\/, without a fragment, not /],
  ["options", OPTIONS, (options) => new WasmnetClient(node.url, options), /^options must be an object, not \w+$/],
  ["protocol", ["v3", 2, null], inOptions("protocol"), /^protocol must be auto or v1 or v2, not /],
  ["binary", [1, "true"], inOptions("binary"), /^binary must be a boolean, not /],
  ["openTimeoutMs", TIMES, inOptions("openTimeoutMs"), /^openTimeoutMs must be a whole number from 1 to 2147483647, not /],
  ["reconnect", [5, "yes", "", 0, null, NaN, [], [500]], inOptions("reconnect"), /^reconnect must be a boolean or \{ baseMs, capMs, first \}, not \w+$/],
  ["reconnect.baseMs", TIMES, (baseMs) => make(node.url, { reconnect: { baseMs } }), /^reconnect.baseMs must be a whole number from 1 to 2147483647, not /],
  ["reconnect.capMs", TIMES, (capMs) => make(node.url, { reconnect: { capMs } }), /^reconnect.capMs must be a whole number from 1 to 2147483647, not /],
  ["reconnect.first", [0, "no"], (first) => make(node.url, { reconnect: { first } }), /^reconnect.first must be a boolean, not /],
  ...[["", "0"], ["s3cret\n", "others"], ["s3cret ", "others"], ["s3crét", "others"], [5, "number"], [{}, "object"], [["s3cret"], "object"], ["s".repeat(8193), "8193"]]
    .map(([token, not]) => [`token: ${not}`, [token], inOptions("token"), new RegExp(`^a token must be 1 to 8192 visible ASCII characters, not ${not}$`)]),
  ["WebSocket", [5, "ws", {}, ...(globalThis.WebSocket ? [] : [undefined])], inOptions("WebSocket"), /^the option WebSocket must be a class where there is no global one, not /],

  ...["connect", "connectTls", "connectUdp", "bind", "bindUdp"].flatMap((name) => [
    [`${name}: addr`, HOSTS, (host) => client[name](host, 80), /^the host must be a name or an IP address, without scheme, port or path, not /],
    [`${name}: port`, PORTS, (port) => client[name]("a", port), /^the port must be a whole number from [01] to 65535, not /],
  ]),
  ...["connect", "connectTls", "connectUdp"].map((name) => [`${name}: port 0`, [0], (port) => client[name]("a", port), /from 1 to 65535, not 0$/]),
  ["resolve: name", HOSTS, (name) => client.resolve(name), /^the host must be /],
  ["resolve: options", OPTIONS, (options) => client.resolve("a", options), /^options must be an object, not \w+$/],
  ["resolve: signal", SIGNALS, (signal) => client.resolve("a", { signal }), /^signal must be an AbortSignal, not /],
  ["resolve: openTimeoutMs", TIMES, (openTimeoutMs) => client.resolve("a", { openTimeoutMs }), /^openTimeoutMs must be /],
  ...["listen", "send", "sendTo", "close", "onData", "onDataFrom", "onClose", "onAccept"].map((name) => [
    `${name}: id`, IDS, (id) => client[name](id), /^id must be a whole number from 1 to 9007199254740991, not /,
  ]),
  ...["onData", "onDataFrom", "onClose", "onAccept"].map((name) => [`${name}: callback`, CALLBACKS, (callback) => client[name](1, callback), /^callback must be a function, not /]),

  ...["open", "listenOn", "openUdp", "listenUdp"].flatMap((name) => [
    [`${name}: target`, TARGETS, (target) => client[name](target), /^the (target|host|port) must be /],
    [`${name}: options`, OPTIONS, (options) => client[name]("a:1", options), /^options must be an object, not \w+$/],
    [`${name}: signal`, SIGNALS, (signal) => client[name]("a:1", { signal }), /^signal must be an AbortSignal, not /],
    [`${name}: openTimeoutMs`, TIMES, (openTimeoutMs) => client[name]("a:1", { openTimeoutMs }), /^openTimeoutMs must be /],
    [`${name}: allowHalfOpen`, [1, "yes"], (allowHalfOpen) => client[name]("a:1", { allowHalfOpen }), /^allowHalfOpen must be a boolean, not /],
  ]),
  ["open: transport", ["udp", 5, null], (transport) => client.open("a:1", { transport }), /^transport must be tcp or tls, not /],
  ["open: tls", [1, "yes"], (tls) => client.open("a:1", { tls }), /^tls must be a boolean, as transport has it, not /],
  ["open: tls that transport contradicts", [true], (tls) => client.open("a:1", { tls, transport: "tcp" }), /^tls must be a boolean, as transport has it, not true$/],

  ["socket: kind", ["raw", "accepted", undefined, 5], (kind) => client.socket(kind, "a", 1), /^the kind must be tcp or tls or udp or listener or udp-listener, not /],
  ["socket: listeners", [null, 5, "f", []], (listeners) => client.socket("tcp", "a", 1, listeners), /^listeners must be an object, not \w+$/],
  ["socket: a listener", CALLBACKS, (ondata) => client.socket("tcp", "a", 1, { ondata }), /^ondata must be a function, not /],
  ["socket: a listener that there is not", ["onData", "data", "send"], (name) => client.socket("tcp", "a", 1, { [name]() {} }), /^a listener must be onopen or .* or onerror, not "(onData|data|send)"$/],
  ["socket: options", [null, 5, []], (options) => client.socket("tcp", "a", 1, {}, options), /^options must be an object, not \w+$/],

  ["Socket.send: kind", ["listener", "udp-listener"], (kind) => aSocket(kind).send("x"), /^the kind must be accepted or tcp or tls or udp, not "/],
  ["Socket.sendTo: kind", ["tcp", "tls", "listener"], (kind) => aSocket(kind).sendTo("a", 1, "x"), /^the kind must be udp or udp-listener, not "/],
  ["Socket.listen: kind", ["tcp", "tls", "udp", "udp-listener"], (kind) => aSocket(kind).listen(), /^the kind must be listener, not "/],
  ["Socket.send: data", DATA, (data) => aSocket("tcp").send(data), /^data must be a string, an ArrayBuffer or a view of one, not /],
  ["Socket.sendTo: host", HOSTS, (host) => aSocket("udp").sendTo(host, 1, "x"), /^the host must be /],
  ["Socket.sendTo: port", [...PORTS, 0], (port) => aSocket("udp").sendTo("a", port, "x"), /^the port must be a whole number from 1 to 65535, not /],
  ["Socket.sendTo: data", DATA, (data) => aSocket("udp").sendTo("a", 1, data), /^data must be /],
  ["Socket.consumed: count", [-1, NaN, 1.5, "1", undefined], (count) => aSocket("tcp").consumed(count), /^count must be a whole number from 0 to /],
  ["Socket.listen: backlog", BACKLOGS, (backlog) => aSocket("listener").listen(backlog), /^backlog must be a whole number from 0 to 65535, not /],
];

const sockets = {};
const aSocket = (kind) => (sockets[kind] ??= client.socket(kind, "a", 1));

for (const [what, values, work, says] of TABLE) {
  test(what, async () => {
    for (const value of values) {
      let error;
      try {
        await work(value);
        assert.fail(`${inspect(value)} was taken`);
      } catch (caught) {
        error = caught;
      }
      assert.equal(error.name, "WasmnetError", `${inspect(value)}: ${error.stack}`);
      assert.equal(error.code, "invalid_argument");
      assert.match(error.message, says);
      assert.ok(error.message.length < 300 && !inspect(error).includes("s3cr"), error.message);
    }
    assert.equal(client.version, 2, "and nothing has happened");
  });
}

test("a URL's secrets are in no error", () => {
  for (const url of ["wss:/a/?token=s3cret", "ws://amy:s3cret@a:b/", "ws://a/?token=s3cret#x", "ws://a/#s3cret"]) {
    assert.throws(() => make(url), (error) => error.code === "invalid_argument" && !inspect(error).includes("s3cret"));
  }
});

test("what is right is taken", async () => {
  make("ws://a");
  make("WSS://a.example:1/b?c=d", { binary: true, reconnect: { baseMs: 60000 }, token: "!~", openTimeoutMs: 2 ** 31 - 1 });
  make(new URL("ws://[::1]:80/"), { token: undefined, reconnect: { first: false, baseMs: 1, capMs: 1 } });
  for (const host of ["a", "a_b.example", "bücher.example", "1.2.3.4", "::1", "[::1]", "a.".repeat(127)]) client.socket("tcp", host, 65535).reset();
  for (const target of ["a:1", "[::1]:80", { hostname: "::1", port: 80 }]) client.open(target, { tls: false, transport: "tcp", signal: undefined }).reset();
  client.socket("listener", "a", 0, { onopen: null, onaccept: undefined }).reset();
  client.onData(77, null);
  client.send(77, "no such id is no error");
  // Only an aborted signal has its own reason.
  const reason = new Error("enough");
  await assert.rejects(client.resolve("a", { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(client.open("a:1", { signal: AbortSignal.abort(reason) }).opened, reason);
});

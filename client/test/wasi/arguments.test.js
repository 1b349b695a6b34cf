// Every option and argument of the bridge is checked when it is passed, like the client's; and a guest's invalid argument is an errno.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { compile, emscriptenWebSocket, pickStrategy, run, shareClient, socketInterfaces, wrapImports } from "../../wasi/index.js";
import { Input, InputSource } from "../../wasi/input.js";
import { RemoteTransport } from "../../wasi/remote.js";
import { ClientTransport } from "../../wasi/transport.js";
import { fake } from "../fake-node.js";
import { connectClient } from "../support.js";

const URL_OK = "ws://127.0.0.1:9/";
const client = { socket() {} };
const inRun = (name) => (value) => run(new Uint8Array(8), { url: URL_OK, [name]: value });
const inWrap = (name) => (value) => wrapImports({}, { client, [name]: value });
const inEmscripten = (name) => (value) => emscriptenWebSocket(client, { [name]: value });
const listening = (name) => (value) => run(new Uint8Array(8), { url: URL_OK, listen: [{ [name]: value }] });
const OBJECTS = [null, 5, "s3cret", []];
const FUNCTIONS = [5, "f", {}];
const lockedInput = new ReadableStream();
const lockedOutput = new WritableStream();
lockedInput.getReader();
lockedOutput.getWriter();
const BOOLEANS = [1, "yes"];

/** [name, invalid values, the call, the error's text] */
const TABLE = [
  ["run: options", OBJECTS, (options) => run(new Uint8Array(8), options), /^options must be an object, not \w+$/],
  ["run: neither url nor client", [undefined], inRun("url"), /^of url and client must be exactly one given, not none$/],
  ["run: both", [client], inRun("client"), /^of url and client must be exactly one given, not both$/],
  ["run: url", ["localhost:9300", "", null, "ws://a/#b", 5], inRun("url"), /^the url must be absolute, /],
  ["run: client", [5, {}, "ws://a/", null], (value) => run(new Uint8Array(8), { client: value }), /^client must be a WasmnetClient, not /],
  ["run: clientOptions", OBJECTS, inRun("clientOptions"), /^clientOptions must be an object, not /],
  ["run: args", ["a b", 5, {}, null], inRun("args"), /^args must be an array of strings, not /],
  ["run: one of args", [[5], ["a", null], ["a\0"]], inRun("args"), /^args\[\d\] must be a string without NUL, not /],
  ["run: env", OBJECTS, inRun("env"), /^env must be an object of names and values, not /],
  ["run: env as a process has it", [["A=1"]], inRun("env"), /^env must be an object of names and values, not array$/],
  ["run: a value of env", [{ A: 5 }, { A: null }, { A: "\0s3cret" }], inRun("env"), /^env\.A must be a string without NUL, not /],
  ["run: a name of env", [{ "A=B": "c" }, { "": "c" }], inRun("env"), /^a name in env must be a string without = and NUL, not /],
  ["run: stdin", [5, {}, () => {}], inRun("stdin"), /^stdin must be a string, bytes, a ReadableStream or an async iterable, not /],
  ["run: stdout", [5, "out", {}], inRun("stdout"), /^stdout must be a function or a WritableStream, not /],
  ["run: stderr", [5, "out", {}], inRun("stderr"), /^stderr must be a function or a WritableStream, not /],
  ["run: stdin that somebody reads", [lockedInput], inRun("stdin"), /^stdin must be a stream that is not locked, not object$/],
  ...["stdout", "stderr"].map((name) => [
    `run: ${name} that somebody writes`, [lockedOutput], inRun(name), new RegExp(`^${name} must be a stream that is not locked, not object$`),
  ]),
  ["run: listen", ["127.0.0.1:80", {}, 5, null], inRun("listen"), /^listen must be an array of \{ host, port, backlog, nonblocking \}, not /],
  ["run: one of listen", [["127.0.0.1:80"], [80], [null]], inRun("listen"), /^each of listen must be an object, not /],
  ["run: a listener's host", ["localhost", "127.0.0.1:80", 5, ""], listening("host"), /^a listener's host must be an IP address, not /],
  ["run: a listener's port", ["80", -1, 65536], listening("port"), /^the port must be a whole number from 0 to 65535, not /],
  ["run: a listener's backlog", [0, 129, "5"], listening("backlog"), /^backlog must be a whole number from 1 to 128, not /],
  ["run: a listener that does not block", BOOLEANS, listening("nonblocking"), /^nonblocking must be a boolean, not /],
  ...["onlisten", "onrefused"].map((name) => [`run: ${name}`, FUNCTIONS, inRun(name), new RegExp(`^${name} must be a function, not `)]),
  ...["worker", "isTerminal", "trace"].map((name) => [`run: ${name}`, BOOLEANS, inRun(name), new RegExp(`^${name} must be a boolean, not `)]),
  ["run: signal", [5, {}, () => {}, new EventTarget()], inRun("signal"), /^signal must be an AbortSignal, not /],
  ["run: imports", OBJECTS, inRun("imports"), /^imports must be an object, not /],
  ["run: workerUrl", [5, {}, null, "", "http://[", "http://[?token=s3cret"], inRun("workerUrl"), /^workerUrl must be a URL, not /],
  ["strategy", ["fast", 5, null], (value) => pickStrategy(value), /^strategy must be auto or jspi or sab, not /],
  ["compile", [undefined, null, 5, {}, "", () => {}, "http://[", "http://s3cret@[", "a.wasm"], (source) => compile(source), /^the program must be a URL, a Response, bytes or a WebAssembly\.Module, not /],

  ["wrapImports: imports", OBJECTS, (imports) => wrapImports(imports, { client }), /^imports must be an object, not /],
  ["wrapImports: options", OBJECTS, (options) => wrapImports({}, options), /^options must be an object, not /],
  ["wrapImports: client", [undefined, null, 5, {}], inWrap("client"), /^client must be a WasmnetClient, not /],
  ["wrapImports: memory", [5, {}], inWrap("memory"), /^memory must be a WebAssembly\.Memory or a function that returns one, not /],
  ["wrapImports: firstFd", [-1, "5", 2 ** 31], inWrap("firstFd"), /^firstFd must be a whole number from 0 to 2147483647, not /],
  ["wrapImports: listenerFd", [-1, "5"], inWrap("listenerFd"), /^listenerFd must be a whole number from 0 to 2147483647, not /],
  ["wrapImports: onrefused", FUNCTIONS, inWrap("onrefused"), /^onrefused must be a function, not /],
  ["shareClient: client", [undefined, {}], (value) => shareClient(value), /^client must be a WasmnetClient, not /],
  ["shareClient: onrefused", FUNCTIONS, (onrefused) => shareClient(client, { onrefused }), /^onrefused must be a function, not /],
  ["socketInterfaces: client", [undefined, {}], (value) => socketInterfaces(value), /^client must be a WasmnetClient, not /],
  ["emscriptenWebSocket: client", [undefined, {}], (value) => emscriptenWebSocket(value), /^client must be a WasmnetClient, not /],
  ["emscriptenWebSocket: sendBuffer", [0, "5", -1], inEmscripten("sendBuffer"), /^sendBuffer must be a whole number from 1 to /],
  ...["isDatagram", "onrefused", "Native"].map((name) => [
    `emscriptenWebSocket: ${name}`, FUNCTIONS, inEmscripten(name), new RegExp(`^${name} must be a function, not `),
  ]),
];

for (const [what, values, work, says] of TABLE) {
  test(what, async () => {
    for (const value of values) {
      let error = null;
      try {
        await work(value);
      } catch (caught) {
        error = caught;
      }
      assert.equal(error?.name, "WasmnetError", `${inspect(value)}: ${error?.stack}`);
      assert.equal(error.code, "invalid_argument");
      assert.match(error.message, says);
      assert.ok(!error.message.includes("s3cret"), error.message);
    }
  });
}

test("what stdin yields is bytes or a string, of whatever class; anything else is an error that names it", async () => {
  const yields = async function* (part) { yield part; };
  const streamOf = (part) => new ReadableStream({ start(sink) { sink.enqueue(part); sink.close(); } });
  for (const part of [5, null, undefined, {}, [1, 2], true]) {
    for (const source of [yields(part), streamOf(part)]) {
      await assert.rejects(new Input().fill(new InputSource(source)), { name: "WasmnetError", code: "invalid_argument", message: /^each part of stdin must be a string or bytes, not / });
    }
  }
  for (const part of ["hi", new TextEncoder().encode("hi"), new DataView(Uint8Array.of(104, 105).buffer), Uint16Array.of(0x6968)]) {
    for await (const bytes of new InputSource(yields(part)).parts()) assert.deepEqual([...bytes], [104, 105]);
  }
});

test("an aborted signal rejects run() with its reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(run(new Uint8Array(8), { url: URL_OK, signal: AbortSignal.abort(reason) }), reason);
});

test("what a guest gives and nobody can be asked for is the guest's error, and throws nowhere", { timeout: 30000 }, async (t) => {
  const node = await fake(t);
  const told = [];
  const transport = new ClientTransport(connectClient(t, node.url), ({ code, text }) => told.push([code, text]));
  for (const [method, host, port] of [["connect", "a b", 80], ["connect", "host.test", 0], ["connectUdp", "http://a/", 53], ["bind", "a:1", 0]]) {
    const channels = [];
    const code = await new Promise((resolve) => channels.push(transport[method]({ host, port }, { closed: resolve })));
    assert.equal(code, "invalid_argument");
    const [channel] = channels;
    assert.equal(channel.credit, 0);
    assert.equal(channel.send(Uint8Array.of(1)), 0);
    channel.sendTo(Uint8Array.of(1), "1.2.3.4", 5);
    channel.consumed(1);
    for (const end of ["shutdown", "close", "reset"]) channel[end]();
  }
  assert.equal(await new Promise((resolve) => transport.resolve("a b", resolve)), "invalid_argument");
  assert.match(told[0][1], /^a b:80: the host must be a name or an IP address, .*, not "a b"\. \(invalid_argument\)$/);
  await transport.drained();
});

/** What a refused socket's program hears, by way of each interface whose onrefused throws. */
const refused = {
  "in the client's thread": (client, onrefused, done) => new ClientTransport(client, onrefused).connect({ host: "a", port: 25 }, { closed: done }),
  "over shared memory": (client, onrefused, done, t) => {
    const service = shareClient(client, { onrefused });
    t.after(() => service.close());
    const remote = new RemoteTransport(service.link);
    const timer = setInterval(() => remote.pump(), 1);
    t.after(() => clearInterval(timer));
    remote.connect({ host: "a", port: 25 }, { closed: done });
  },
  "Emscripten": (client, onrefused, done) => {
    const Sockets = emscriptenWebSocket(client, { Native: class {}, onrefused });
    new Sockets("ws://a:25/", ["binary"]).onclose = ({ reason }) => done(reason);
  },
};
for (const [where, connect] of Object.entries(refused)) {
  test(`an onrefused that throws is reported once, and the program gets its errno (${where})`, { timeout: 30000 }, async (t) => {
    const reported = [];
    globalThis.reportError = (error) => reported.push(error.message);
    t.after(() => { delete globalThis.reportError; });
    const node = await fake(t);
    const client = connectClient(t, node.url);
    const ended = new Promise((resolve) => connect(client, () => { throw new Error("of the page"); }, resolve, t));
    await client.ready();
    const { id } = await node.peers[0].request(({ type }) => type === 1);
    node.peers[0].send(0x87, id, [1, 16], [4, 0], "not for you");
    assert.equal(await ended, "policy_denied");
    assert.deepEqual(reported, ["of the page"]);
    assert.equal(client.openSockets.length, 0);
  });
}

test("a refusal is told once, in words, and what any machine does is not", { timeout: 30000 }, async (t) => {
  const told = [];
  const node = await fake(t);
  const transport = new ClientTransport(connectClient(t, node.url), (refusal) => told.push(refusal));
  for (const [code, type] of [[16, 0x87], [16, 0x87], [32, 0x86], [18, 0x86]]) {
    const closed = new Promise((resolve) => transport.connect({ host: "::1", port: 25 }, { closed: resolve }));
    while (!node.peers[0]?.requests.some((request) => request.type === 1 && !request.seen)) await new Promise((resolve) => setImmediate(resolve));
    const { id } = node.peers[0].requests.find((request) => request.type === 1 && !request.seen && (request.seen = true));
    node.peers[0].send(type, id, [1, code], [4, 0], "not for you");
    await closed;
  }
  assert.deepEqual(told, [
    { code: "policy_denied", message: "not for you", kind: "tcp", destination: "[::1]:25",
      text: "[::1]:25: not for you. To let programs reach it, the node's operator adds it to allow in [network] of its policy. (policy_denied)" },
    { code: "max_connections", message: "not for you", kind: "tcp", destination: "[::1]:25", text: "[::1]:25: not for you. (max_connections)" },
  ]);
  // A client that is not admitted gets one report, however many destinations it tried.
  const shut = await fake(t, { hello: null, onconnection: ({ ws }) => ws.close(1008, "policy_denied") });
  const texts = [];
  const outside = new ClientTransport(connectClient(t, shut.url), ({ text }) => texts.push(text));
  await Promise.all([25, 26].map((port) => new Promise((resolve) => outside.connect({ host: "::1", port }, { closed: resolve }))));
  assert.deepEqual(texts, [`the node at ${shut.url} did not let this client in: it takes nobody from here; its operator may add this origin to allowed_origins. (policy_denied)`]);
});

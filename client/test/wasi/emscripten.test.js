// The class for Emscripten against a scripted client, and its program in Node against a real node.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { emscriptenWebSocket } from "../../wasi/emscripten.js";
import { buildGuests } from "./modes.js";
import { startNode, startRedis } from "./peers.js";
import { startBulk, hex, patternChecksum } from "./bulk-peer.js";
import { GUESTS } from "./session.js";

/** A client whose sockets record requests; the test sets `queued`. */
class FakeClient {
  sockets = [];
  socket(kind, host, port, listeners) {
    const socket = {
      kind, host, port, ...listeners, isDatagram: kind === "udp", queued: 0, sent: [], consumedBytes: 0, wasReset: false, wasClosed: false,
      send(bytes) { this.sent.push([...bytes]); },
      consumed(count) { this.consumedBytes += count; },
      close() { this.wasClosed = true; },
      reset() {
        this.wasReset = true;
        this.onclosed({ code: "client_closed" });
      },
    };
    this.sockets.push(socket);
    return socket;
  }
}

function open(url = "ws://host.test:80/", options = {}) {
  const client = new FakeClient();
  const Sockets = emscriptenWebSocket(client, { Native: class {}, ...options });
  const webSocket = new Sockets(url, ["binary"]);
  return { client, Sockets, webSocket, socket: client.sockets[0] };
}

const port = Uint8Array.of(255, 255, 255, 255, 0x70, 0x6f, 0x72, 0x74, 1, 2);
const later = () => new Promise((resolve) => setImmediate(resolve));

test("where SOCKFS's URLs lead: names as they are, IPv6 without brackets, either scheme", () => {
  const targets = {
    "ws://host.test:6379/": ["host.test", 6379], "wss://host.test:443/": ["host.test", 443], "wss://host.test:80/": ["host.test", 80],
    "ws://::1:6379/": ["::1", 6379], "ws://[::1]:6379/": ["::1", 6379], "ws://2001:db8::1:2:80/": ["2001:db8::1:2", 80],
    "ws://127.0.0.1:1/path:9/": ["127.0.0.1", 1], "wss://Host.Test/": ["Host.Test", 443], "ws://host.test": ["host.test", 80],
  };
  for (const [url, target] of Object.entries(targets)) {
    const { socket } = open(url);
    assert.deepEqual([socket.host, socket.port], target, url);
  }
  assert.throws(() => open("ws:///"), { name: "SyntaxError" });
});

test("credit goes back as SOCKFS's queue is read, and at once where there is no queue to see", async () => {
  const { webSocket, socket } = open();
  const queue = [];
  webSocket.onmessage = ({ data }) => queue.push({ addr: "host.test", port: 80, data: new Uint8Array(data) });
  socket.onopen();
  socket.ondata(new Uint8Array(1000));
  socket.ondata(new Uint8Array(500));
  await later();
  assert.deepEqual([queue.length, socket.consumedBytes], [2, 0]);
  // A read of 300 removes the first and puts 700 of it back.
  const entry = queue.shift();
  entry.data = entry.data.subarray(300);
  queue.unshift(entry);
  assert.equal(socket.consumedBytes, 0);
  await later();
  assert.equal(socket.consumedBytes, 300);
  queue.shift();
  queue.shift();
  assert.equal(queue.shift(), undefined);
  await later();
  assert.deepEqual([socket.consumedBytes, queue.length], [1500, 0]);

  const other = open();
  other.webSocket.onmessage = () => {};
  other.socket.onopen();
  other.socket.ondata(new Uint8Array(1000));
  other.socket.ondata(new Uint8Array(10));
  assert.equal(other.socket.consumedBytes, 1010);
});

test("small messages of a stream that nobody reads are few entries of SOCKFS's queue, and arrive whole", async () => {
  const { webSocket, socket } = open();
  const queue = [];
  let told = 0;
  webSocket.onmessage = ({ data }) => {
    told++;
    queue.push({ addr: "host.test", port: 80, data: new Uint8Array(data) });
  };
  socket.onopen();
  const count = 40000;
  for (let i = 0; i < count; i++) socket.ondata(Uint8Array.of(i & 255));
  assert.ok(queue.length < 10, `${queue.length} entries`);
  assert.equal(told, count);
  // As SOCKFS reads: the first entry, of which it puts the rest back. More arrives meanwhile.
  const seen = [];
  for (let turn = 0; queue.length > 0; turn++) {
    const entry = queue.shift();
    seen.push(...entry.data.subarray(0, 7001));
    if (entry.data.length > 7001) {
      entry.data = new Uint8Array(entry.data.buffer, entry.data.byteOffset + 7001, entry.data.length - 7001);
      queue.unshift(entry);
    }
    if (turn < 5) socket.ondata(Uint8Array.of((count + turn) & 255));
  }
  assert.deepEqual(seen, Array.from({ length: count + 5 }, (_, i) => i & 255));
  await later();
  assert.equal(socket.consumedBytes, count + 5);
});

test("a handler that throws costs no credit and leaves Array as it was", () => {
  const { push } = Array.prototype;
  const { webSocket, socket } = open();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    webSocket.onmessage = () => { throw new Error("of the program"); };
    socket.onopen();
    socket.ondata(new Uint8Array(10));
  } finally {
    delete globalThis.reportError;
  }
  assert.deepEqual([socket.consumedBytes, reported], [10, ["of the program"]]);
  assert.equal(Array.prototype.push, push);
});

test("a stream may begin with what SOCKFS takes for a port", () => {
  const { webSocket, socket } = open();
  const lengths = [];
  webSocket.onmessage = ({ data }) => lengths.push(data.byteLength);
  socket.onopen();
  socket.ondata(port);
  socket.ondata(port);
  assert.deepEqual(lengths, [4, 6, 10]);
  webSocket.send(Uint8Array.of(1));
  webSocket.send(port);
  assert.deepEqual(socket.sent, [[1], [...port]]);
});

test("a datagram socket that is not said to be one gets no stream; one that is gets datagrams", () => {
  const stream = open();
  stream.socket.onopen();
  stream.webSocket.send(port);
  assert.deepEqual([stream.socket.wasReset, stream.socket.sent, stream.webSocket.readyState], [true, [], 3]);

  const { webSocket, socket } = open("ws://192.0.2.1:53/", { isDatagram: (host, port) => host === "192.0.2.1" && port === 53 });
  assert.equal(socket.kind, "udp");
  const got = [];
  webSocket.onmessage = ({ data }) => got.push([...new Uint8Array(data)]);
  socket.onopen();
  webSocket.send(port);
  webSocket.send(Uint8Array.of(1, 2));
  socket.ondatagram(Uint8Array.of(3));
  assert.deepEqual([socket.sent, got], [[[1, 2]], [[3]]]);
});

test("a full socket is connecting until there is room; what a later SOCKFS queued then goes out", () => {
  const { webSocket, socket } = open(undefined, { sendBuffer: 100 });
  const queued = [];
  webSocket.onopen = () => { while (queued.length > 0) webSocket.send(queued.shift()); };
  socket.onopen();
  assert.equal(webSocket.readyState, 1);
  socket.queued = 120;
  webSocket.send(Uint8Array.of(1));
  assert.equal(webSocket.readyState, webSocket.CONNECTING);
  queued.push(Uint8Array.of(2), Uint8Array.of(3));
  socket.queued = 0;
  socket.onsendable();
  assert.deepEqual([webSocket.readyState, socket.sent], [1, [[1], [2], [3]]]);
  // Without the bound it is never full.
  const other = open();
  other.socket.onopen();
  other.socket.queued = 1e9;
  other.webSocket.send(Uint8Array.of(1));
  assert.equal(other.webSocket.readyState, 1);
});

test("the ends: the peer's, the program's, a refusal, a full socket's", () => {
  const events = ({ webSocket }) => {
    const seen = [];
    for (const type of ["open", "error", "close"]) webSocket[`on${type}`] = (event) => seen.push(type === "close" ? `${event.code} ${event.reason}` : type);
    return seen;
  };
  const peer = open();
  const seen = events(peer);
  peer.socket.onopen();
  peer.socket.onend();
  assert.deepEqual([peer.webSocket.readyState, peer.socket.wasClosed], [2, true]);
  peer.webSocket.send(Uint8Array.of(1));
  assert.deepEqual(peer.socket.sent, []);
  peer.socket.onclosed({ code: "normal" });
  assert.deepEqual([seen, peer.webSocket.readyState], [["open", "1000 normal"], 3]);

  const refused = open();
  const told = events(refused);
  assert.throws(() => refused.webSocket.send(Uint8Array.of(1)), { name: "InvalidStateError" });
  refused.socket.onclosed({ code: "refused" });
  assert.deepEqual(told, ["error", "1006 refused"]);

  const full = open(undefined, { sendBuffer: 1 });
  full.socket.onopen();
  full.socket.queued = 1;
  full.webSocket.send(Uint8Array.of(1));
  full.socket.onclosed({ code: "target_reset" });
  full.socket.onsendable();
  assert.equal(full.webSocket.readyState, 3);
});

// The first build takes a while, and longer on a busy machine.
before(() => buildGuests(), { timeout: 600000 });

test("the README's programs for Node: emcc's script and module take their sockets from the client", { timeout: 120000 }, async (t) => {
  const [node, redis, bulk] = await Promise.all([startNode(), startRedis(), startBulk()]);
  t.after(() => Promise.all([node.end(), redis.end(), bulk.end()]));
  const folder = await mkdtemp(join(tmpdir(), "wasmnet-emscripten-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "node_modules"));
  await symlink("/usr/share/nodejs/ws", join(folder, "node_modules/ws"));
  await symlink(fileURLToPath(new URL("../..", import.meta.url)), join(folder, "node_modules/wasmnet"));
  const readme = await readFile(new URL("../../wasi/README.md", import.meta.url), "utf8");
  const [, preload] = /```js\n(\/\/ preload\.mjs[^`]*)```/.exec(readme);
  await writeFile(join(folder, "preload.mjs"), preload.replace("wss://node.example/", node.url));

  const flags = ["--no-experimental-fetch", "--import", join(folder, "preload.mjs")];
  const execute = (program, ...args) => promisify(execFile)(process.execPath, [...flags, program, ...args.map(String)], { timeout: 30000 });
  const loop = await execute(join(GUESTS, "emscripten-loop.js"), "localhost", redis.port, "node", "turns");
  assert.deepEqual(loop, { stdout: "+PONG\r\n+OK\r\n$5\r\nturns\r\n$6\r\nsecond\r\n", stderr: "" });

  // As a module, 3.1.6 does not expect to run in Node.
  await writeFile(join(folder, "main.mjs"), `import { readFileSync } from "node:fs";
    import { createRequire } from "node:module";
    import create from ${JSON.stringify(join(GUESTS, "emscripten-transfer.mjs"))};
    Object.assign(globalThis, { __dirname: ".", require: createRequire(import.meta.url) });
    await create({ arguments: process.argv.slice(2), wasmBinary: readFileSync(${JSON.stringify(join(GUESTS, "emscripten-transfer.wasm"))}) });`);
  const size = 8 * 1024 * 1024;
  const got = await execute(join(folder, "main.mjs"), "get", "127.0.0.1", bulk.port, size);
  assert.deepEqual(got, { stdout: `${size} ${hex(patternChecksum(size))}\n`, stderr: "" });
  await assert.rejects(execute(join(folder, "main.mjs"), "get", "127.0.0.1", 1, 1), { code: 1, stderr: "connect: Connection refused (errno 14)\n" });
});

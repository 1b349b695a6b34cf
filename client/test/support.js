// Shared by the tests: a real node, real targets, a client that ends with its test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { WasmnetClient } from "../wasmnet-client.js";
import { WebSocket } from "./ws.js";

/** The protocol variants of a session; every call of the client must behave the same in each. */
export const LANGUAGES = {
  "v1 JSON": { protocol: "v1" },
  "v1 binary": { protocol: "v1", binary: true },
  v2: {},
};

/** A policy that lets clients reach and bind the tests' addresses: loopback. */
export const LOOPBACK = `
[network]
allow = ["127.0.0.0/8", "::1", "localhost"]
deny = ["*"]
bind_ports = "1024-65535"
bind_addresses = ["127.0.0.1"]
max_connections = 0
max_bandwidth_mbps = 0
[limits]
max_sessions = 0
connects_per_sec = 0
resolves_per_sec = 0
bytes_per_day = 0
`;

/** Runs the node that WASMNET_NODE names, on a free port, until the test ends. `policy` null: its default one. */
export async function startNode(t, { policy = LOOPBACK, args = [], port = 0 } = {}) {
  const program = process.env.WASMNET_NODE;
  assert.ok(program, "WASMNET_NODE must name the wasmnet-node to test with");
  const directory = mkdtempSync(join(tmpdir(), "wasmnet-test-"));
  if (policy !== null) writeFileSync(join(directory, "policy.toml"), policy);
  const child = spawn(program, ["serve", "--port", String(port), ...(policy === null ? [] : ["--policy", join(directory, "policy.toml")]),
    "--no-admin", ...args],
    { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const exited = once(child, "exit");
  const url = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        output = (output + text).slice(-65536);
        const found = output.match(/wss?:\/\/[^/\s]*:\d+\//);
        if (found) resolve(found[0]);
      });
    }
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the node ended with ${code}: ${output}`)));
  });
  const node = {
    url, pid: child.pid, port: Number(new URL(url).port), output: () => output, exited,
    kill(signal) { child.kill(signal); },
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
  t.after(() => node.end());
  return node;
}

/** A node for all the tests of a file: the result of `startNode`, from the first test on. */
export function nodeOfFile(options) {
  const node = {};
  const ends = [];
  before(async () => { Object.assign(node, await startNode({ after: (end) => ends.push(end) }, options)); });
  after(async () => { for (const end of ends) await end(); });
  return node;
}

/** A TCP server on a free port of loopback. */
export async function startTarget(t, onconnection, { host = "127.0.0.1", createServer = net.createServer } = {}) {
  const connections = new Set();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => {});
    onconnection(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  t.after(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return {
    port: server.address().port,
    connections,
    /** The first live connection; a client may know about it before this process does. */
    async connection() {
      while (connections.size === 0) await once(server, "connection");
      return [...connections][0];
    },
  };
}

export const echo = (socket) => { socket.on("data", (data) => socket.write(data)); socket.on("end", () => socket.end()); };

export function connectClient(t, url, options = {}) {
  const client = new WasmnetClient(url, { WebSocket, ...options });
  t.after(() => client.disconnect());
  return client;
}

/** The next event of the client, with a timeout. */
export function next(client, type) {
  return within(10000, new Promise((resolve) => client.addEventListener(type, resolve, { once: true })), type);
}

export async function within(ms, promise, what = "this") {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} took over ${ms} ms`)), ms); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The data that a socket of the calls by number receives, until it is closed. */
export function collect(client, id) {
  return within(10000, new Promise((resolve) => {
    const parts = [];
    client.onData(id, (data) => parts.push(Buffer.from(data)));
    client.onClose(id, () => resolve(Buffer.concat(parts)));
  }), "the end of a socket");
}

/** The first bytes that a socket receives, as text; this many. */
export function firstBytes(client, id, count) {
  return within(10000, new Promise((resolve) => {
    let text = "";
    client.onData(id, (data) => {
      text += Buffer.from(data).toString("latin1");
      if (text.length >= count) resolve(text);
    });
  }), "data");
}

export async function readAll(readable) {
  const parts = [];
  for await (const chunk of readable) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

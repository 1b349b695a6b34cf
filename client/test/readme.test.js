// Every JavaScript snippet of the README runs, against a real node and targets that replace the addresses it names.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { test } from "node:test";
import * as wasmnet from "../wasmnet-client.js";
import { LIMITS } from "./size.js";
import { connectClient, startNode, startTarget, within } from "./support.js";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const snippets = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code]) => code.trim());

const AsyncFunction = (async () => {}).constructor;

async function stage(t) {
  const node = await startNode(t);
  const http = await startTarget(t, (socket) => {
    socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nhello"));
  });
  const udp = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  await once(udp, "listening");
  t.after(() => udp.close());
  udp.on("message", (data, { port }) => udp.send(data, port, "127.0.0.1"));
  const names = [
    ["ws://127.0.0.1:9000/", node.url], [/"example\.com", port: (80|443)/g, `"127.0.0.1", port: ${http.port}`],
    [/"example\.com", 80/g, `"127.0.0.1", ${http.port}`], [/"example\.com"\)/g, '"localhost")'], ["tls: true", "tls: false"],
    [/"9\.9\.9\.9", port: 53/g, `"127.0.0.1", port: ${udp.address().port}`], [/"9\.9\.9\.9", 53/g, `"127.0.0.1", ${udp.address().port}`],
    [/port: 3000|3000/g, (text) => text.replace("3000", "0")],
  ];
  return { node, translate: (code) => names.reduce((text, [name, stand]) => text.replaceAll(name, stand), code) };
}

snippets.forEach((snippet, i) => {
  test(`snippet ${i + 1}: ${snippet.split("\n").find((line) => line && !line.startsWith("import"))}`, { timeout: 30000 }, async (t) => {
    const { node, translate } = await stage(t);
    const client = connectClient(t, node.url);
    const { WebSocket } = await import("./ws.js");
    const said = [];
    const console = { log: (...words) => said.push(words.join(" ")) };
    class WasmnetClient extends wasmnet.WasmnetClient {
      constructor(url, options) {
        super(url, { WebSocket, ...options });
        t.after(() => this.disconnect());
      }
    }
    let code = translate(snippet).replace(/^import .*$/gm, "");
    // The first creates its own client; the others use it.
    const names = { WasmnetClient, WasmnetError: wasmnet.WasmnetError, codes: wasmnet.codes, console, query: new Uint8Array(12) };
    if (!/const client =/.test(code)) names.client = client;
    const run = new AsyncFunction(...Object.keys(names), `"use strict";\n${code}`);
    const running = run(...Object.values(names));
    if (snippet.includes("for await (const connection of client.listenOn")) await useServer(client);
    await within(20000, running, "the snippet");
    if (i === 0) assert.match(said.join(""), /200 OK/);
  });
});

/** That snippet serves until its listener is closed. */
async function useServer(client) {
  const { socket } = await new Promise((resolve) => client.addEventListener("socketopen", resolve, { once: true }));
  const peer = net.connect(socket.localPort, "127.0.0.1");
  peer.end("echo me");
  const parts = [];
  for await (const part of peer) parts.push(part);
  assert.equal(Buffer.concat(parts).toString(), "echo me");
  socket.close();
}

test("its commands are the ones that run these tests", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const files = scripts.test.match(/test\/\S+/g).map((pattern) => `client/${pattern}`).join(" ");
  assert.deepEqual(commands, [`make playground\nWASMNET_NODE=.build/release/wasmnet-node node --test ${files}`]);
});

test("the sizes it names are the limits that are kept", () => {
  const { core, "whole client": whole } = LIMITS;
  const named = readme.match(/is under ([\d.]+) KiB minified and ([\d.]+) KiB gzipped, with numbers and streams under ([\d.]+) KiB gzipped/).slice(1);
  assert.deepEqual(named.map((number) => number * 1024), [core.minified, core.gzipped, whole.gzipped]);
});

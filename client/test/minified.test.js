// The whole client as one module with shortened internal names: it behaves like its sources, in each version.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as sources from "../wasmnet-client.js";
import { LANGUAGES, collect, echo, firstBytes, startNode, startTarget, within } from "./support.js";
import { WebSocket } from "./ws.js";

let minified;
before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "wasmnet-minified-"));
  const file = join(folder, "client.mjs");
  writeFileSync(file, execFileSync(fileURLToPath(new URL("../../scripts/stage-client.sh", import.meta.url)), ["--minify", "wasmnet-client.js"]));
  minified = await import(pathToFileURL(file));
  rmSync(folder, { recursive: true });
});

test("it exports what its sources do, with every method", () => {
  const methodsOf = (type) => (type.prototype ? Object.getOwnPropertyNames(type.prototype).filter((name) => /^[a-z]/.test(name)) : []);
  assert.deepEqual(Object.keys(minified).sort(), Object.keys(sources).sort());
  assert.deepEqual(minified.codes, sources.codes);
  for (const [name, type] of Object.entries(sources)) {
    for (const method of methodsOf(type)) assert.ok(method in minified[name].prototype, `${name}.${method}`);
  }
});

for (const [language, options] of Object.entries(LANGUAGES)) {
  test(`streams, numbers, a listener, datagrams, a lookup and a refusal (${language})`, { timeout: 30000 }, async (t) => {
    const node = await startNode(t);
    const target = await startTarget(t, echo);
    const client = new minified.WasmnetClient(node.url, { WebSocket, ...options });
    t.after(() => client.disconnect());
    const ended = new Promise((resolve) => client.addEventListener("disconnected", resolve));

    const id = await client.connect("127.0.0.1", target.port);
    client.send(id, "hello");
    assert.equal(await firstBytes(client, id, 5), "hello");
    client.close(id);

    const connection = client.open({ hostname: "127.0.0.1", port: target.port });
    const writer = connection.writable.getWriter();
    await writer.write(new Uint8Array(300000).fill(7));
    const [reader, parts] = [connection.readable.getReader(), []];
    for (let count = 0; count < 300000; count += parts.at(-1).length) parts.push((await reader.read()).value);
    assert.ok(Buffer.concat(parts).equals(Buffer.alloc(300000, 7)));
    await connection.close();

    const listener = await client.bind("127.0.0.1", 0);
    const accepted = new Promise((resolve) => client.onAccept(listener.id, resolve));
    const visitor = net.connect(listener.port, "127.0.0.1").end("visit");
    const received = collect(client, await within(5000, accepted, "a connection"));
    visitor.resume();
    assert.equal(`${await received}`, "visit");

    const receiver = client.listenUdp("127.0.0.1:0");
    const { localPort } = await receiver.opened;
    const sender = client.openUdp({ hostname: "127.0.0.1", port: localPort });
    await sender.writable.getWriter().write("datagram");
    assert.equal(Buffer.from((await receiver.readable.getReader().read()).value.data).toString(), "datagram");

    assert.ok((await client.resolve("localhost")).length > 0);
    await assert.rejects(client.connect("192.0.2.1", 1), { name: "WasmnetError", code: "policy_denied" });
    client.disconnect();
    assert.equal((await ended).error.code, "client_closed");
  });
}

// The package as a whole: its size, its types, its files, and that it has no dependencies.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as client from "../wasmnet-client.js";
import { FIELDS } from "../lib/events.js";
import { LIMITS, measure } from "./size.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const description = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

test("the core and the whole client are under their limits", (t) => {
  for (const [name, { minified, gzipped }] of Object.entries(measure())) {
    t.diagnostic(`${name}: ${minified} bytes minified, ${gzipped} gzipped`);
    assert.ok(minified < LIMITS[name].minified && gzipped < LIMITS[name].gzipped, `${name}: ${minified} bytes, ${gzipped} gzipped`);
  }
});

test("every name that the types export is there, and the other way round", () => {
  const types = readFileSync(`${root}wasmnet-client.d.ts`, "utf8");
  const declared = [...types.matchAll(/export declare (?:class|const) (\w+)/g)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(client).sort());
  const codes = types.match(/type ReasonCode =([^;]*);/)[1].match(/"\w+"/g).map((word) => word.slice(1, -1));
  assert.deepEqual(codes.sort(), Object.keys(client.codes).sort());
});

test("every method that the types declare is there", () => {
  const types = readFileSync(`${root}wasmnet-client.d.ts`, "utf8");
  for (const name of ["WasmnetClient", "Socket", "Connection", "DatagramConnection", "Listener"]) {
    const body = types.match(new RegExp(`declare class ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`))[1];
    for (const [, method] of body.matchAll(/^ {2}(\w+)\(/gm)) {
      if (method !== "constructor") assert.equal(typeof client[name].prototype[method], "function", `${name}.${method}`);
    }
  }
});

test("the codes are the node's", () => {
  const source = readFileSync(`${root}../Sources/WasmnetProtocol/ReasonCode.swift`, "utf8");
  const numbers = Object.fromEntries([...source.matchAll(/case (\w+) = (\d+)/g)].map(([, name, number]) => [name, Number(number)]));
  const words = Object.fromEntries([...source.matchAll(/case \.(\w+): "(\w+)"/g)].map(([, name, word]) => [word, numbers[name]]));
  assert.ok(Object.keys(words).length > 20);
  const { connection_lost: lost, invalid_argument: invalid, ...wire } = client.codes;
  assert.deepEqual(wire, words);
  assert.ok(lost > 255 && invalid > 255, "which no byte can carry");
});

test("each code that is the client's own is made somewhere in it", () => {
  const sources = readdirSync(`${root}lib`).map((file) => readFileSync(`${root}lib/${file}`, "utf8")).join("");
  for (const [word, number] of Object.entries(client.codes)) {
    if (number > 255) assert.ok(sources.includes(`new WasmnetError("${word}"`) || sources.includes(`?? "${word}"`), word);
  }
});

test("docs/protocol.md has the node's names, messages and codes", () => {
  const read = (path) => readFileSync(`${root}../${path}`, "utf8");
  const document = read("docs/protocol.md");
  const codes = Object.fromEntries([...document.matchAll(/`(\w+)` \| (\d+) \|/g)].map(([, word, number]) => [word, Number(number)]));
  const { connection_lost: lost, invalid_argument: invalid, ...wire } = client.codes;
  assert.deepEqual(codes, wire);
  for (const [, name] of read("Sources/WasmnetProtocol/Subprotocol.swift").matchAll(/"(wasmnet\.[\w.]+)"/g)) assert.ok(document.includes(name), name);
  const types = [...read("Sources/WasmnetProtocol/MessageTypes.swift").matchAll(/= (0x[0-9A-Fa-f]{2})/g)].map(([, type]) => Number(type));
  assert.ok(types.length > 20);
  const named = [...document.matchAll(/\| (0x\w\w(?:, 0x\w\w)?) \|/g)].flatMap(([, all]) => all.split(", ").map(Number));
  assert.deepEqual([...new Set(named)].sort(), types.sort());
});

test("docs/protocol.md has the ranges that the client holds a node to", () => {
  const document = readFileSync(`${root}../docs/protocol.md`, "utf8");
  const names = { conn_id: "connId", reconnect_in_ms: "reconnectInMs", retry_after_ms: "retryAfterMs", msg: "message" };
  const rows = [...document.matchAll(/`(\w+)`[^|\n]*\| (\d+) to (\d+) \|/g)].map(([, name, least, most]) => [names[name] ?? name, [Number(least), Number(most)]]);
  const rules = Object.entries(FIELDS).map(([field, rule]) => [field, typeof rule === "number" ? [0, rule] : rule]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(rules));
});

test("no dependencies; what is shipped exists", () => {
  for (const key of ["dependencies", "peerDependencies", "devDependencies"]) assert.equal(description[key], undefined);
  assert.equal(description.type, "module");
  for (const entry of [description.main, description.types, "README.md", ...description.files.filter((file) => !/^wasi|\*/.test(file))]) {
    assert.ok(existsSync(`${root}${entry}`), entry);
  }
  for (const file of readdirSync(`${root}lib`)) {
    for (const [, path] of readFileSync(`${root}lib/${file}`, "utf8").matchAll(/from "([^"]+)"/g)) assert.match(path, /^\.\//, file);
  }
});

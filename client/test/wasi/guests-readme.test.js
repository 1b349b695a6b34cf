// The commands of guests/README.md, in a copy of that folder.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const guests = fileURLToPath(new URL("../../guests", import.meta.url));

test("a C program is compiled as guests/README.md says", { timeout: 120000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wasmnet-guests-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(guests, join(folder, "client/guests"), { recursive: true });
  const [, commands] = /```sh\n([^`]*)```/.exec(readFileSync(join(guests, "README.md"), "utf8"));
  execFileSync("bash", ["-euc", commands], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  const module = new WebAssembly.Module(readFileSync(join(folder, "redis-ping.wasm")));
  assert.ok(WebAssembly.Module.imports(module).some(({ name }) => name === "sock_connect"));
});

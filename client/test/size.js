// The size of a page's modules: each entry with its imports, minified and gzipped as scripts/stage-client.sh does, the whole client
// with its banner. Prints it, and fails over the limit.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** In bytes. The core: the connection, both versions, sockets with credit, reconnect. Calls by number, streams and WASI are built on it. */
export const LIMITS = { core: { minified: 24 << 10, gzipped: 9 << 10 }, "whole client": { minified: Infinity, gzipped: 11 << 10 } };
const ENTRIES = { core: "lib/core.js", "whole client": "wasmnet-client.js" };
const STAGE = fileURLToPath(new URL("../../scripts/stage-client.sh", import.meta.url));

/** @returns {Record<string, {minified: number, gzipped: number}>} in bytes */
export function measure() {
  return Object.fromEntries(Object.entries(ENTRIES).map(([name, entry]) => {
    const code = execFileSync(STAGE, ["--minify", entry], { stdio: "pipe" });
    const folder = mkdtempSync(join(tmpdir(), "wasmnet-size-"));
    writeFileSync(join(folder, "module.js"), code);
    const gzipped = execFileSync("zopfli", ["-c", join(folder, "module.js")]).length;
    rmSync(folder, { recursive: true });
    return [name, { minified: code.length, gzipped }];
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { minified, gzipped }] of Object.entries(measure())) {
    console.log(`${name}: ${minified} bytes minified, ${gzipped} gzipped`);
    if (minified > LIMITS[name].minified || gzipped > LIMITS[name].gzipped) {
      console.error(`over the limit of ${LIMITS[name].minified} minified, ${LIMITS[name].gzipped} gzipped`);
      process.exitCode = 1;
    }
  }
}

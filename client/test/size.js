// What a page loads: each entry with all that it imports, bundled and minified by esbuild. Prints it, and fails over the limit.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** In bytes. The core: the connection, both languages, sockets with credit, reconnect. On it stand calls by number, streams and WASI. */
export const LIMITS = { core: { minified: 27 << 10, gzipped: 10.25 * 1024 }, "whole client": { minified: Infinity, gzipped: 12.5 * 1024 } };
const ENTRIES = { core: "lib/core.js", "whole client": "wasmnet-client.js" };

/** @returns {Record<string, {minified: number, gzipped: number}>} in bytes */
export function measure() {
  return Object.fromEntries(Object.entries(ENTRIES).map(([name, entry]) => {
    const path = fileURLToPath(new URL(`../${entry}`, import.meta.url));
    const code = execFileSync("esbuild", [path, "--bundle", "--minify", "--format=esm", "--target=es2022"], { stdio: "pipe" });
    return [name, { minified: code.length, gzipped: gzipSync(code, { level: 9 }).length }];
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

// What a page loads: each entry with all that it imports, bundled and minified by esbuild. Prints it, and fails over the limit.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The core: the connection, both languages, sockets with credit, reconnect. On it stand calls by number, streams and WASI. */
const LIMIT = 20 << 10;
const ENTRIES = { core: "lib/core.js", "whole client": "wasmnet-client.js" };

/** @returns {Record<string, {minified: number, gzipped: number, limit?: number}>} in bytes */
export function measure() {
  return Object.fromEntries(Object.entries(ENTRIES).map(([name, entry]) => {
    const path = fileURLToPath(new URL(`../${entry}`, import.meta.url));
    const code = execFileSync("esbuild", [path, "--bundle", "--minify", "--format=esm", "--target=es2022"], { stdio: "pipe" });
    return [name, { minified: code.length, gzipped: gzipSync(code, { level: 9 }).length, limit: name === "core" ? LIMIT : undefined }];
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { minified, gzipped, limit = Infinity }] of Object.entries(measure())) {
    console.log(`${name}: ${minified} bytes minified, ${gzipped} gzipped`);
    if (minified > limit) {
      console.error(`over the limit of ${limit}`);
      process.exitCode = 1;
    }
  }
}

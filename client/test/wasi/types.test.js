// The types, by Debian's node-typescript.

import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("the bridge's types fit a program that uses it", { timeout: 60000 }, () => {
  execFileSync("tsc", [
    "--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "node", "--lib", "es2022,dom,dom.iterable",
    fileURLToPath(new URL("types.ts", import.meta.url)),
  ], { stdio: ["ignore", "inherit", "inherit"] });
});

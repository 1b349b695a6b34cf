// The types of the package as it is shipped, by TypeScript and by Deno: programs that use it, and every snippet of the READMEs.

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fromPypi } from "./pypi.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "wasmnet-types-"));
  await run(`${root}scripts/stage-client.sh`, ["--package", `${folder}/staged`]);
  await run("python3", [`${root}scripts/dist/npm_layout.py`, `${folder}/staged`, `${folder}/node_modules`]);
  renameSync(`${folder}/node_modules/package`, `${folder}/node_modules/wasmnet`);
  cpSync(`${root}client/test/types`, folder, { recursive: true });
  writeFileSync(`${folder}/package.json`, JSON.stringify({ type: "module" }));
  // As the snippets of the bridge import them: beside the page.
  symlinkSync("node_modules/wasmnet/wasi", `${folder}/wasi`);
  for (const file of ["wasmnet-client.js", "wasmnet-client.d.ts"]) symlinkSync(`node_modules/wasmnet/${file}`, `${folder}/${file}`);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Resolves to tsc's complaints, of which there must be none. */
async function check(name, options, files) {
  const config = `${folder}/tsconfig.${name}.json`;
  writeFileSync(config, JSON.stringify({
    compilerOptions: {
      strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, target: "es2022",
      lib: ["es2022", "dom", "dom.iterable"], types: [], skipLibCheck: false, ...options,
    },
    files,
  }));
  await run("tsc", ["-p", config]).catch(({ stdout, message }) => { throw new Error(stdout || message); });
}

const WAYS = {
  node16: { module: "node16", moduleResolution: "node16" },
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  node: { module: "esnext", moduleResolution: "node" },
};
for (const [name, options] of Object.entries(WAYS)) {
  test(`programs by moduleResolution ${name}, strict`, { timeout: 120000 }, () => check(name, options, ["use.ts", "wasi.ts"]));
}

test("every JavaScript snippet of the READMEs", { timeout: 120000 }, async (t) => {
  const files = ["client/README.md", "client/wasi/README.md"].flatMap((readme) => {
    const snippets = [...readFileSync(root + readme, "utf8").matchAll(/```js\n([\s\S]*?)```/g)];
    return snippets.map(([, code], i) => {
      const file = `${readme.split("/").at(-2)}-${i + 1}.mts`;
      writeFileSync(`${folder}/${file}`, `${code}\nexport {};\n`);
      return file;
    });
  });
  t.diagnostic(`${files.length} snippets`);
  await check("readme", WAYS.nodenext, ["readme.d.ts", ...files]);
});

test("the same programs by deno check", { timeout: 240000 }, async (t) => {
  const { path, why } = await fromPypi("deno");
  if (why) return t.skip(why);
  writeFileSync(`${folder}/deno.json`, JSON.stringify({
    nodeModulesDir: "manual", compilerOptions: { strict: true, exactOptionalPropertyTypes: true, lib: ["deno.window", "dom"] },
  }));
  const env = { ...process.env, DENO_DIR: `${folder}/deno`, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  await run(path, ["check", "use.ts", "wasi.ts"], { cwd: folder, env }).catch(({ stderr, message }) => { throw new Error(stderr || message); });
});

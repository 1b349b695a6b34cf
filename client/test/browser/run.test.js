// run() in all kinds of pages: of another origin than the package, a bundle, one with a strict Content-Security-Policy,
// one without cross-origin isolation; and in Node.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BROWSERS, openHarness } from "./harness.js";
import { fromPypi } from "../pypi.js";
import { echo, startNode, startTarget } from "../support.js";

const CLIENT = fileURLToPath(new URL("../..", import.meta.url));
const said = /^0 hello\n$/;

let folder;
before(() => {
  execFileSync("make", ["-C", `${CLIENT}playground`], { stdio: "pipe" });
  folder = mkdtempSync(join(tmpdir(), "wasmnet-pages-"));
  mkdirSync(`${folder}/node_modules`);
  symlinkSync(CLIENT, `${folder}/node_modules/wasmnet`);
  writeFileSync(`${folder}/app.js`, 'export { run } from "wasmnet/wasi/index.js";');
  const [, commands] = readFileSync(`${CLIENT}wasi/README.md`, "utf8").match(/```sh\n(esbuild [^`]*)```/);
  execFileSync("sh", ["-ec", commands], { cwd: folder, stdio: "pipe" });
  cpSync(`${folder}/public/app.js`, `${folder}/alone/app.js`);
  // A script that is not a module has no URL of its own.
  execFileSync("esbuild", ["app.js", "--bundle", "--log-level=error", "--format=iife", "--global-name=app", "--footer:js=export const { run } = app;",
    "--outfile=alone/iife.js"], { cwd: folder, stdio: "pipe" });
}, { timeout: 120000 });
after(() => rmSync(folder, { recursive: true, force: true }));

async function stage(t) {
  const node = await startNode(t, { args: ["--serve-client", "--client-dir", CLIENT] });
  const target = await startTarget(t, echo);
  const served = `http://127.0.0.1:${node.port}`;
  const params = { url: node.url, echoPort: target.port, program: "/client/playground/guests/netcat.wasm" };
  const open = async (browser, options, tries, ends) => {
    const harness = await openHarness({ roots: { "/app/": folder }, ...options });
    t.after(() => harness.close());
    return harness.run(browser, "/client/test/browser/run.html", { params: { ...params, tries, ends } });
  };
  return { served, params, open };
}

for (const browser of BROWSERS) {
  test(`run() in a page of another origin, and in esbuild's bundles, in ${browser}`, { timeout: 120000 }, async (t) => {
    const { served, open } = await stage(t);
    const seen = await open(browser, {}, {
      "another origin": { from: `${served}/client/wasi/index.js` },
      "a bundle that was not told": { from: "/app/alone/app.js" },
      "a bundle": { from: "/app/alone/app.js", workerUrl: "/app/public/worker.js" },
      "a bundle with its Worker beside it": { from: "/app/public/app.js" },
      "a bundle of no module that was not told": { from: "/app/alone/iife.js" },
      "a bundle of no module": { from: "/app/alone/iife.js", workerUrl: "../../../app/public/worker.js" },
      "a bundle with the Worker of another origin": { from: "/app/alone/app.js", workerUrl: `${served}/client/wasi/worker.js` },
      "shared memory without isolation": { from: `${served}/client/wasi/index.js`, strategy: "sab" },
      "what no Worker can have": { from: `${served}/client/wasi/index.js`, tokenIsFunction: true },
      "no program": { from: `${served}/client/wasi/index.js`, program: "/client/test/browser/run.html" },
    });
    const lost = /^Error: the program's Worker cannot be loaded from .*workerUrl/;
    const expected = {
      "another origin": said, "a bundle that was not told": lost, "a bundle": said, "a bundle with its Worker beside it": said,
      "a bundle of no module that was not told": lost,
      "a bundle of no module": said, "a bundle with the Worker of another origin": said,
      "shared memory without isolation": /^NoStrategy: .*Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp/,
      "what no Worker can have": /^WasmnetError: .* plain values, clientOptions too/,
      "no program": /^CompileError: http:\S+, which is text\/html\S* ?\S*, is not WebAssembly/,
    };
    for (const [name, pattern] of Object.entries(expected)) assert.match(seen[name], pattern, name);
    assert.equal(seen.isIsolated, false);
  });

  test(`run() in an isolated page: by shared memory from another origin; and how it ends, in ${browser}`, { timeout: 120000 }, async (t) => {
    const { served, open } = await stage(t);
    const silent = await startSilent(t);
    const over = await startTarget(t, (socket) => socket.resume().end());
    const { ends, ...seen } = await open(browser, { isolated: true }, {
      "another origin": { from: `${served}/client/wasi/index.js`, strategy: "sab" },
      "a bundle": { from: "/app/alone/app.js", workerUrl: "/app/public/worker.js", strategy: "sab" },
    }, { endPort: over.port, silent: silent.url });
    assert.deepEqual(seen, { "another origin": "0 hello\n", "a bundle": "0 hello\n", isIsolated: true });
    for (const [mode, saw] of Object.entries(ends)) {
      for (const [what, is] of Object.entries(saw)) await t.test(`${mode}: ${what}`, () => assert.deepEqual(is, ENDS[what] ?? ABORTED));
    }
    assert.ok(ends["shared memory"]);
    // No download goes on after its program's signal.
    await silent.left();
  });

  test(`run() under the README's strict Content-Security-Policies, in ${browser}`, { timeout: 120000 }, async (t) => {
    const { served, open } = await stage(t);
    const policies = policiesOfTheReadme(served);
    const under = (policy, tries) => open(browser, { headers: { "Content-Security-Policy": policy } }, tries);
    const foreign = { "another origin": { from: `${served}/client/wasi/index.js` } };
    assert.match((await under(policies.foreign, foreign))["another origin"], said);
    assert.match((await under(policies.own, { "its own": { from: "/client/wasi/index.js" } }))["its own"], said);
    if (browser !== BROWSERS[0]) return;
    // The missing feature is reported.
    const without = await under(policies.foreign.replace(/worker-src [^;]*/, "worker-src 'none'"), foreign);
    assert.match(without["another origin"], /^Error: the program's Worker cannot be loaded from \S+: .*worker-src/);
  });
}

/** How run() of run-ends.js ends, in every mode. */
const failing = (...calls) => ({ ends: ["0 ", "1 "], calls, areReported: true });
const ABORTED = "enough";
const ENDS = {
  "aborted while it only yields": `${ABORTED}, 0 calls later`,
  "a stream that another program has": "invalid_argument: stdout must be a stream that is not locked, not object",
  "a stream": ["0 ", false],
  "a stream again": ["0 ", false],
  "what it got": "one two",
  "one for both": ["0 ", false],
  "what both got": "connected to 127.0.0.1 port\nhello",
  "an endless stdin": ["0 ", false, true],
  "a stdin without a next part": ["0 ", true],
  "no program": ["CompileError: this is not WebAssembly: it does not begin with \\0asm", false, false],
  "callbacks that throw": failing("onlisten", "onrefused", "return", "stderr", "stdout", "write"),
  "callbacks that reject": failing("cancel", "onlisten", "onrefused", "stderr", "stdout", "write"),
};

/** A server whose answers never begin; with `?asked` they do, as soon as it was asked without. `left` resolves when nobody waits for it any more. */
async function startSilent(t) {
  const waiting = new Set();
  const server = createServer(async (request, response) => {
    if (request.url.endsWith("?asked")) {
      while (waiting.size === 0) await once(server, "asked");
      return response.writeHead(204, { "Access-Control-Allow-Origin": "*" }).end();
    }
    waiting.add(response);
    response.on("close", () => {
      waiting.delete(response);
      server.emit("left");
    });
    return server.emit("asked");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    async left() { while (waiting.size > 0) await once(server, "left"); },
  };
}

/** The two from the README, with this test's addresses instead of the node's. */
function policiesOfTheReadme(served) {
  const readme = readFileSync(`${CLIENT}wasi/README.md`, "utf8");
  const [own, foreign] = [...readme.matchAll(/```\nContent-Security-Policy: ([^`]*)```/g)]
    .map(([, policy]) => policy.replace(/\s+/g, " ").replaceAll("wss://node.example", served.replace("http", "ws")).replaceAll("https://node.example", served));
  return { own, foreign };
}

const PROGRAM = `
  import { readFile } from "node:fs/promises";
  import { run } from ${JSON.stringify(new URL("../../wasi/index.js", import.meta.url).href)};
  const [program, url, port, strategy] = process.argv.slice(1);
  try {
    const { exitCode, stdout } = await run(await readFile(program), { url, args: ["netcat", "127.0.0.1", port], stdin: "hello\\n", strategy });
    console.log(exitCode + " " + stdout);
  } catch (error) {
    console.log(error.name + ": " + error.message);
  }
`;

/** The result of run() in Node. */
async function inNode(node, flags, { url = "ws://127.0.0.1:9/", echoPort = 0 } = {}, strategy = "auto") {
  const { stdout } = await promisify(execFile)(node,
    [...flags, "--no-warnings", "--input-type=module", "-e", PROGRAM, `${CLIENT}playground/guests/netcat.wasm`, url, String(echoPort), strategy], { timeout: 50000 });
  return stdout.trim();
}

test("run() in this Node says what is missing", { timeout: 60000 }, async () => {
  const hasJspi = typeof WebAssembly.Suspending === "function";
  if (!hasJspi) assert.match(await inNode(process.execPath, []), /^NoStrategy: Node [\d.]+ has no JavaScript Promise Integration: .*Node 25.*, and shared memory needs the Workers of a browser/);
  assert.match(await inNode(process.execPath, [], {}, "sab"), /^NoStrategy: shared memory needs the Workers of a browser/);
});

test("run() in Node 24", { timeout: 240000 }, async (t) => {
  const { path, why } = await fromPypi("node24");
  if (why) return t.skip(why);
  const { params } = await stage(t);
  assert.match(await inNode(path, []), /^NoStrategy: Node 24[\d.]+ has no JavaScript Promise Integration: .*--experimental-wasm-jspi/);
  assert.equal(await inNode(path, ["--experimental-wasm-jspi"], params), "0 hello");
});

// From the start of a page's load to its target's first byte, cold, in Chromium: a page with a plain WebSocket (v1, JSON) beside pages that
// use the client as one module, with and without a link that preloads it, and as separate modules. The node serves all. Prints medians and
// ratios to the plain page.
//
//   WASMNET_NODE=FILE node client/bench/first-byte.js [ROUNDS]

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Chromium } from "../../Tests/dashboard/chromium.mjs";
import { startNode, startTarget } from "../test/support.js";

const rounds = Number(process.argv[2] ?? 15);

const client = (entry) => `import { WasmnetClient } from "./${entry}";
  const { port } = Object.fromEntries(new URLSearchParams(location.search));
  const connection = new WasmnetClient("ws://" + location.host + "/").open({ hostname: "127.0.0.1", port: Number(port) });
  await connection.readable.getReader().read();
  globalThis.done(performance.now());`;

const PAGES = {
  "bare WebSocket": `const port = Number(new URLSearchParams(location.search).get("port"));
    const ws = new WebSocket("ws://" + location.host + "/");
    ws.onopen = () => ws.send(JSON.stringify({ op: "connect", id: 1, addr: "127.0.0.1", port }));
    ws.onmessage = ({ data }) => { if (JSON.parse(data).ev === "data") globalThis.done(performance.now()); };`,
  "one module": client("wasmnet-client.min.js"),
  "one module, preloaded": client("wasmnet-client.min.js"),
  "its modules": client("wasmnet-client.js"),
};

const folder = mkdtempSync(join(tmpdir(), "wasmnet-first-byte-"));
const ends = [() => rmSync(folder, { recursive: true, force: true })];
const scope = { after: (end) => ends.unshift(end) };
try {
  execFileSync(fileURLToPath(new URL("../../scripts/stage-client.sh", import.meta.url)), [folder]);
  const names = Object.keys(PAGES);
  names.forEach((name, i) => writeFileSync(`${folder}/first-byte-${i}.html`, `<!doctype html><link rel="icon" href="data:,">
${name.endsWith("preloaded") ? '<link rel="modulepreload" href="wasmnet-client.min.js">' : ""}
<script>globalThis.seen = new Promise((resolve) => { globalThis.done = resolve; });</script>
<script type="module">${PAGES[name]}</script>`));
  const node = await startNode(scope, { args: ["--serve-client", "--client-dir", folder] });
  const target = await startTarget(scope, (socket) => socket.write("x"));
  const browser = await Chromium.start();
  ends.unshift(() => browser.stop());

  /** One load in a new profile: no cache, no earlier connection. */
  async function load(i) {
    const { browserContextId } = await browser.send("Target.createBrowserContext");
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    const loaded = new Promise((resolve) => {
      const unlisten = browser.listen((message) => message.sessionId === sessionId && message.method === "Page.loadEventFired" && (unlisten(), resolve()));
    });
    await browser.send("Page.enable", {}, sessionId);
    await browser.send("Page.navigate", { url: `http://127.0.0.1:${node.port}/client/first-byte-${i}.html?port=${target.port}` }, sessionId);
    await loaded;
    const { result } = await browser.send("Runtime.evaluate", { expression: "globalThis.seen", awaitPromise: true, returnByValue: true }, sessionId);
    await browser.send("Target.disposeBrowserContext", { browserContextId });
    return result.value;
  }

  const times = names.map(() => []);
  for (let round = -2; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const ms = await load(i);
      if (round >= 0) times[i].push(ms);
    }
  }
  const at = (list, part) => list.toSorted((a, b) => a - b)[Math.floor((list.length - 1) * part)];
  console.log(`| first byte, cold, ${rounds} loads each | median ms | 10 to 90 % | to the bare page |\n|---|---|---|---|`);
  names.forEach((name, i) => {
    const [low, median, high] = [0.1, 0.5, 0.9].map((part) => at(times[i], part));
    // Of consecutive loads: the machine's load is the same for both.
    const ratio = at(times[i].map((ms, round) => ms / times[0][round]), 0.5);
    console.log(`| ${name} | ${median.toFixed(0)} | ${low.toFixed(0)} to ${high.toFixed(0)} | ${i === 0 ? 1 : ratio.toFixed(2)} |`);
  });
} finally {
  for (const end of ends) await end();
}

// The playground as the node serves it: no console errors, samples under the default policy, files that are not programs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Chromium } from "../../../Tests/dashboard/chromium.mjs";
import { Page } from "../../../Tests/dashboard/page.mjs";
import { startNode } from "../support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let browser;
let folder;
before(async () => {
  execFileSync("make", ["-C", `${root}client/playground`], { stdio: "pipe" });
  folder = mkdtempSync(join(tmpdir(), "wasmnet-served-"));
  execFileSync(`${root}scripts/stage-client.sh`, [folder], { stdio: "pipe" });
  browser = await Chromium.start();
}, { timeout: 120000 });
after(async () => {
  await browser?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const screen = "document.getElementById('screen').textContent";
const problem = "document.getElementById('problem').textContent";
const isReady = "document.body.dataset.ready === 'true'";

const pick = (page, name) => page.value(`[...document.querySelectorAll('#guests button')].find((one) => one.textContent === ${JSON.stringify(name)}).click()`);
const drop = (page, name, bytes) => page.value(`(() => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(${JSON.stringify(bytes)})], ${JSON.stringify(name)}));
  document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
})()`);

test("the playground loads and runs its samples without an error in the console", { timeout: 120000 }, async (t) => {
  const node = await startNode(t, { policy: null, args: ["--serve-client", "--client-dir", folder] });
  const page = await Page.open(browser, `http://127.0.0.1:${node.port}/playground/`);
  t.after(() => page.close());
  await page.until(isReady);
  assert.equal(await page.value("crossOriginIsolated"), true);
  assert.deepEqual(page.complaints, []);
  // As an image, which is subject to the policy's img-src, in case a browser does not ask for the icon by itself.
  assert.equal(await page.value(`new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve("loaded");
    image.onerror = () => resolve("blocked or broken");
    image.src = document.querySelector("link[rel=icon]").href;
  })`), "loaded");

  // The default policy allows no ports to bind: the message describes what the node's operator must change.
  for (const strategy of ["jspi", "sab"]) {
    await page.value(`document.getElementById('strategy').value = '${strategy}'`);
    await pick(page, "echo-server");
    await page.value("document.getElementById('run').click()");
    await page.until(`document.body.dataset.running === 'false' && ${screen}.includes('ended with 1')`);
    assert.match(await page.value(screen), /^127\.0\.0\.1:0 cannot be bound, inbound sockets are off\. To let programs listen, the node's operator sets bind_ports and bind_addresses in \[network\] of its policy\./m);
  }

  // Files that are not programs are reported as such, and no program starts.
  for (const [name, bytes, words] of [
    ["notes.wasm", [110, 111, 116, 101], /^notes\.wasm is not WebAssembly/], ["empty.wasm", [], /^empty\.wasm is not WebAssembly/],
    ["part.wasm", [0, 97, 115, 109, 13, 0, 1, 0], /^part\.wasm is a WebAssembly component/], ["cut.wasm", [0, 97, 115, 109, 1, 0, 0], /^WebAssembly/],
  ]) {
    await drop(page, name, bytes);
    await page.until(`document.getElementById('chosen').textContent === '${name}'`);
    await page.value("document.getElementById('run').click()");
    await page.until(`${problem} !== '' && document.body.dataset.running === 'false'`);
    assert.match(await page.value(problem), words, name);
  }
  assert.deepEqual(page.complaints, []);
});

test("a node that lets no page in says so in the playground", { timeout: 60000 }, async (t) => {
  const policy = '[clients]\nallowed_origins = ["https://another.example"]\n';
  const node = await startNode(t, { policy, args: ["--serve-client", "--client-dir", folder] });
  const page = await Page.open(browser, `http://127.0.0.1:${node.port}/playground/`);
  t.after(() => page.close());
  await page.until(isReady);
  await pick(page, "netcat");
  await page.value("document.getElementById('run').click()");
  await page.until("document.body.dataset.running === 'false' && document.getElementById('node').dataset.state === 'lost'");
  assert.match(await page.value("document.getElementById('node').textContent"), /it takes nobody from http:\/\/127\.0\.0\.1:\d+; its operator may add this origin to allowed_origins/);
  assert.doesNotMatch(await page.value(screen), /\[network\]/);
});

test("a sample that was not built is called that", { timeout: 60000 }, async (t) => {
  const bare = mkdtempSync(join(tmpdir(), "wasmnet-bare-"));
  t.after(() => rmSync(bare, { recursive: true, force: true }));
  execFileSync("cp", ["-r", `${folder}/.`, bare]);
  rmSync(`${bare}/playground/guests`, { recursive: true });
  const node = await startNode(t, { policy: null, args: ["--serve-client", "--client-dir", bare] });
  const page = await Page.open(browser, `http://127.0.0.1:${node.port}/playground/`);
  t.after(() => page.close());
  await page.until(isReady);
  assert.deepEqual(page.complaints, []);
  await pick(page, "netcat");
  await page.value("document.getElementById('run').click()");
  await page.until(`${problem} !== ''`);
  assert.match(await page.value(problem), /^the node has no netcat\.wasm .*make playground/);
});

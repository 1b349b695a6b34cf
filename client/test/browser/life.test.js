// Cases that only a page sees, in real browsers: handshakes that fail without a reason, WebSocket errors, offline and online, and
// navigating away and back.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCutter } from "../cutter.js";
import { fake } from "../fake-node.js";
import { LOOPBACK, startNode } from "../support.js";
import { BROWSERS, openHarness } from "./harness.js";

const TOKEN = "t0ken/with=signs==";

/** A node that knows one token, which cannot be a subprotocol's name. */
async function guarded(t) {
  const directory = mkdtempSync(join(tmpdir(), "wasmnet-token-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "tokens");
  writeFileSync(file, execFileSync(process.env.WASMNET_NODE, ["token", "hash", "bob"], { encoding: "utf8", input: `${TOKEN}\n` }));
  return startNode(t, { policy: `${LOOPBACK}\n[clients]\nidentify_by = "token"\nrequire_token = true\n`, args: ["--token-file", file] });
}

/** Stops a node's process, and waits until it has stopped: one thread can see a signal while another still works. */
async function stop(node) {
  node.kill("SIGSTOP");
  while (!/\) T /.test(readFileSync(`/proc/${node.pid}/stat`, "utf8"))) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A node that does not run until it is started. Until then a listener that hangs up keeps its port, which could otherwise be taken. */
async function startLate(t) {
  const keeper = createTcpServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(keeper, "listening");
  const { port } = keeper.address();
  t.after(() => keeper.close());
  const start = async () => {
    keeper.close();
    await once(keeper, "close");
    return fake(t, { port });
  };
  return { url: `ws://127.0.0.1:${port}/`, start };
}

/** Performs an action when the page requests it. */
async function startSwitch(t, work) {
  const server = createServer(async (request, response) => {
    await work();
    response.writeHead(204, { "Access-Control-Allow-Origin": "*" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

for (const browser of BROWSERS) {
  test(`${browser}: what a page is told of its node, and what of its network`, { timeout: 120000 }, async (t) => {
    const node = await startNode(t);
    const [silent, asleep] = [await startNode(t), await startNode(t)];
    const closed = await startNode(t, { policy: `${LOOPBACK}\n[clients]\nallowed_origins = ["https://another.example"]\n` });
    const [late, later] = [await startLate(t), await startLate(t)];
    const harness = await openHarness();
    t.after(() => harness.close());
    const outcome = await harness.run(browser, "/client/test/browser/life.html", {
      params: {
        cutUrl: (await startCutter(t, node, 1)).url, cutTwiceUrl: (await startCutter(t, node, 2)).url,
        oldUrl: (await fake(t, { protocol: null })).url, tokenUrl: (await guarded(t)).url, token: TOKEN, closedUrl: closed.url,
        nobodyUrl: `${late.url}?token=s3cret`,
        offline: { silentUrl: silent.url, pauseUrl: await startSwitch(t, () => stop(silent)) },
        online: { lateUrl: late.url, startUrl: await startSwitch(t, late.start) },
        resume: { silentUrl: asleep.url, pauseUrl: await startSwitch(t, () => stop(asleep)), lateUrl: later.url, startUrl: await startSwitch(t, later.start) },
      },
    });
    assert.deepEqual(outcome, {
      cut: 2, cutTwice: 1, old: 1, token: 2, wrongToken: "not_admitted",
      origin: `the node at ${closed.url} did not let this client in: it takes nobody from ${harness.origin}; its operator may add this origin to allowed_origins`,
      nobody: `the node at ${late.url}?… cannot be reached: it is down or cut off`,
      refused: { code: "invalid_argument", message: "no WebSocket to ws://127.0.0.1:9/?… can be made here (SyntaxError)" },
      offline: ["connection_lost", "connection_lost"], online: true, resume: ["connection_lost", "connection_lost", true],
    });
  });

  test(`${browser}: a page that is left ends its connection, and has one when it is back`, { timeout: 120000 }, async (t) => {
    const node = await startNode(t);
    const harness = await openHarness({ headers: { "Cache-Control": "no-cache" } });
    t.after(() => harness.close());
    const seen = await harness.run(browser, "/client/test/browser/life.html", { params: { aside: true, url: node.url }, timeoutMs: 20000 });
    // Firefox decides before it notifies the page.
    assert.deepEqual(seen, browser === "firefox" ? ["loaded anew"] : ["connected", "the page was put aside", "again"]);
  });
}

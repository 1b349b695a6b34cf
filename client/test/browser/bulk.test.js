// A page's memory stays bounded however much data passes through it, and however long a socket is not read.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { startNode, startTarget } from "../support.js";
import { BROWSERS, openHarness } from "./harness.js";

const MIB = 1 << 20;
const TRANSFERRED = 512;

/** The largest resident set among the browser's processes of pages, in MiB. */
function pageMemory(group) {
  const lines = execFileSync("ps", ["-eo", "pgid,rss,args"], { encoding: "utf8" }).split("\n");
  const pages = lines.map((line) => line.trim().split(/\s+/)).filter(([pgid, , ...args]) =>
    Number(pgid) === group && /type=renderer|-contentproc/.test(args.join(" ")));
  return Math.max(0, ...pages.map(([, rss]) => Number(rss) / 1024));
}

for (const browser of BROWSERS) {
  test(`${TRANSFERRED} MiB down and up in ${browser}, beside a socket that nobody reads`, { timeout: 240000 }, async (t) => {
    const node = await startNode(t);
    const block = Buffer.alloc(65536, 7);
    const flood = await startTarget(t, (socket) => {
      const pump = () => { while (!socket.destroyed && socket.write(block)); };
      socket.on("drain", pump);
      pump();
    });
    const sink = await startTarget(t, (socket) => { socket.resume(); socket.on("end", () => socket.end()); });
    const harness = await openHarness();
    t.after(() => harness.close());
    let group = 0;
    let most = 0;
    const timer = setInterval(() => { most = Math.max(most, group ? pageMemory(group) : 0); }, 300);
    t.after(() => clearInterval(timer));
    const seen = await harness.run(browser, "/client/test/browser/bulk.html", {
      params: { url: node.url, floodPort: flood.port, sinkPort: sink.port, mib: TRANSFERRED }, timeoutMs: 200000,
      onstart: ({ pid }) => { group = pid; },
    });
    t.diagnostic(`${browser}: ${seen.downRate} MiB/s down, ${seen.upRate} MiB/s up, ${Math.round(most)} MiB in the page's process at most`);
    assert.ok(seen.waiting > 0 && seen.waiting <= seen.window, `${seen.waiting} bytes wait`);
    assert.ok(seen.mostBuffered < 4 * MIB, `${seen.mostBuffered} bytes in the WebSocket`);
    assert.ok(most > 20 && most < 640, `${most} MiB`);
  });
}

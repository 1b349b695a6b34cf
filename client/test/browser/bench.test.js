// The page of `make bench-client` does its work, and uploads leave no data behind in the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { growthOf } from "../../bench/meters.js";
import { startBenchTarget } from "../../bench/target.js";
import { openSession } from "../wasi/session.js";
import { echo, startNode, startTarget } from "../support.js";

const MIB = 1 << 20;

test("64 MiB up cost the page at most 16 MiB of memory", { timeout: 60000 }, async (t) => {
  const node = await startNode(t);
  const target = await startBenchTarget();
  t.after(() => target.end());
  const { port: echoPort } = await startTarget(t, echo);
  const session = await openSession("chromium", { page: "/client/bench/page.html" });
  t.after(() => session.close());
  const measure = (way, work, bytes) =>
    session.call("measure", { way, work, base: "/client/", url: node.url, port: bytes ? target.port : echoPort, bytes, count: 20 });
  for (const way of ["streams", "numbers"]) {
    await measure(way, "up", MIB);
    const grown = await growthOf(session.pid, () => measure(way, "up", 64 * MIB));
    t.diagnostic(`${way}: the page's process grew by ${Math.round(grown)} MiB`);
    assert.ok(grown <= 16, `${way}: ${grown} MiB`);
  }
  for (const way of ["plain", "streams", "numbers"]) {
    for (const work of ["down", "up"]) assert.ok(await measure(way, work, MIB) > 0, `${way} ${work}`);
    for (const work of ["pingPong", "connects"]) assert.ok(await measure(way, work) > 0, `${way} ${work}`);
  }
});

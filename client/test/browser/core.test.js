// The client in pages and Workers of real browsers, with and without isolation, against a real node.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { startFakeNode } from "../fake-node.js";
import { LOOPBACK, echo, startNode, startTarget } from "../support.js";
import { BROWSERS, openHarness } from "./harness.js";

for (const browser of BROWSERS) {
  for (const worker of [false, true]) {
    for (const isolated of [false, true]) {
      test(`${browser}, ${worker ? "Worker" : "page"}${isolated ? ", isolated" : ""}`, { timeout: 120000 }, async (t) => {
        const node = await startNode(t);
        const closed = await startNode(t, { policy: `${LOOPBACK}\n[clients]\nallowed_origins = ["https://another.example"]\n` });
        const old = await startFakeNode({ protocol: null });
        t.after(() => old.close());
        const target = await startTarget(t, echo);
        const udp = dgram.createSocket("udp4").bind(0, "127.0.0.1");
        await once(udp, "listening");
        t.after(() => udp.close());
        udp.on("message", (data, { port }) => udp.send(`${data} pong`, port, "127.0.0.1"));
        const harness = await openHarness({ isolated });
        t.after(() => harness.close());
        const { mibPerSecond, waiting, ...outcome } = await harness.run(browser, "/client/test/browser/core.html", {
          params: { url: node.url, oldUrl: old.url, closedUrl: closed.url, echoPort: target.port, udpPort: udp.address().port, worker },
        });
        t.diagnostic(`${mibPerSecond} MiB/s each way; ${waiting} bytes wait in the socket that is not read`);
        assert.deepEqual(outcome, {
          old: 1, turnedAway: "policy_denied",
          numbers: { json: "hello v1", binary: "hello v1", v2: "hello v2" }, version: 2, halfClose: "over and out (normal)",
          accepted: "knock", datagram: "ping pong", denied: "policy_denied", aborted: "AbortError",
          received: 8 << 20, isSame: true, isStalled: true, openSockets: 0,
        });
      });
    }
  }
}

// The harness itself: it returns a page's report, and reports failures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BROWSERS, openHarness } from "./harness.js";

for (const browser of BROWSERS) {
  for (const isolated of [false, true]) {
    test(`a page reports from ${browser}${isolated ? ", isolated" : ""}`, { timeout: 90000 }, async () => {
      const harness = await openHarness({ isolated });
      try {
        const seen = await harness.run(browser, "/client/test/browser/smoke.html", { params: { a: [1, "ü"] } });
        assert.deepEqual(seen.params, { a: [1, "ü"] });
        assert.equal(seen.isolated, isolated);
        assert.equal(seen.shared, isolated);
      } finally {
        await harness.close();
      }
    });
  }
}

test("a page that says nothing is an error", { timeout: 60000 }, async () => {
  const harness = await openHarness();
  try {
    await assert.rejects(harness.run(BROWSERS[0], "/client/test/browser/none.html", { timeoutMs: 3000 }), /no result/);
  } finally {
    await harness.close();
  }
});

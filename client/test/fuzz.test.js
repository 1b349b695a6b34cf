// A few seconds of the fuzzer, from a fixed seed; `make fuzz-client` runs longer, from a new seed each time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "./fuzz/fuzz.js";

test("random nodes end no promise's wait for ever, let no exception out, fill no memory and loop nowhere", { timeout: 60000 }, async (t) => {
  const { cases, violations } = await fuzz({ seconds: 4, seed: 1 });
  t.diagnostic(`${cases} cases, ${violations} sessions ended with protocol_error`);
  assert.ok(cases > 5 && violations > 0);
});

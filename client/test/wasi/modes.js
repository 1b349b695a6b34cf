// The browsers and strategies under test. WASMNET_BROWSERS selects browsers, WASMNET_STRATEGIES strategies.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BROWSERS } from "../browser/harness.js";
import { GUESTS } from "./session.js";

const strategies = (process.env.WASMNET_STRATEGIES ?? "jspi,sab").split(",");

/** JSPI is tested in a page without COOP and COEP, shared memory in one with them. */
export const MODES = BROWSERS.flatMap((browser) => strategies.map((strategy) => ({
  name: `${browser}, ${strategy}`, browser, strategy, isolated: strategy === "sab",
})));

/** Builds the guests that are missing or older than their source; all, or those of `names`. */
export function buildGuests(names = []) {
  const folder = fileURLToPath(new URL("../../guests", import.meta.url));
  execFileSync("make", ["-s", "-C", folder, ...names.map((name) => `${GUESTS}${name}.wasm`)], { stdio: ["ignore", "ignore", "inherit"] });
}

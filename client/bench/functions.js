// The functions that bench.js can call in the page.

import { inWorker } from "../test/browser/page.js";
import { WAYS } from "./ways.js";

export async function features() {
  return { isolated: crossOriginIsolated };
}

/** One measurement: `work` (down, up, pingPong, connects) in one of the ways. Resolves to the milliseconds it took; pingPong's are those of one round. */
export async function measure({ way, work, thread, ...params }) {
  if (thread === "worker") return inWorker(new URL("worker.js", import.meta.url), { way, work, ...params });
  return WAYS[way][work](params);
}

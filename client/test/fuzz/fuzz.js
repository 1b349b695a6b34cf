// Fuzzes the client with hostile nodes, case after case: node client/test/fuzz/fuzz.js [SECONDS [SEED]]. Prints the seed of a case that fails.

import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { runCase } from "./case.js";

/** A case that takes longer loops or hangs, in ms. */
const LONGEST_CASE = 20000;
/** Growth of the heap that indicates a leak, in bytes; the first cases fill it. */
const MOST_GROWTH = 64 << 20;
const WARM_UP = 200;

/**
 * Runs cases one after the other for this many seconds, in a separate thread, so that a loop is detected.
 *
 * @returns {Promise<{cases: number, violations: number, growth: number}>} rejects with the seed of the case that failed
 */
export function fuzz({ seconds, seed }) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { seconds, seed } });
    let current = seed;
    let watch;
    const feed = () => {
      clearTimeout(watch);
      watch = setTimeout(() => fail(new Error("it does not end")), LONGEST_CASE);
    };
    const fail = (error) => {
      clearTimeout(watch);
      worker.terminate();
      reject(new Error(`seed ${current}: ${error.stack}`));
    };
    feed();
    worker.on("message", ({ next, result }) => {
      feed();
      if (next !== undefined) current = next;
      if (!result) return;
      clearTimeout(watch);
      resolve(result);
    });
    // Errors outside of promises arrive here too: an exception from a timer, an unhandled rejection.
    worker.on("error", fail);
  });
}

async function work({ seconds, seed }) {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc");
  const end = performance.now() + seconds * 1000;
  const totals = { cases: 0, violations: 0, growth: 0 };
  let before = 0;
  for (let next = seed; performance.now() < end; next++) {
    parentPort.postMessage({ next });
    totals.violations += (await runCase(next)).violations;
    const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    if (timers > 0) throw new Error(`${timers} timers are left`);
    if (++totals.cases % WARM_UP !== 0) continue;
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    before ||= heapUsed + external;
    totals.growth = heapUsed + external - before;
    if (totals.growth > MOST_GROWTH) throw new Error(`the heap grew by ${totals.growth} bytes`);
  }
  parentPort.postMessage({ result: totals });
}

if (!isMainThread && workerData?.seconds) {
  await work(workerData);
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [seconds = 60, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number);
  console.log(`seed ${seed}, ${seconds} s`);
  const { cases, violations, growth } = await fuzz({ seconds, seed });
  console.log(`${cases} cases, ${violations} sessions ended with protocol_error, the heap grew by ${(growth / 1024 / 1024).toFixed(1)} MiB`);
}

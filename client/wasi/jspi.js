// Blocking with JavaScript Promise Integration: the guest's stack is suspended while the event loop runs.

import { Errno } from "./errno.js";
import { AGAIN } from "./table.js";

/** Whether this browser has JSPI. */
export const hasJspi = () => typeof WebAssembly.Suspending === "function" && typeof WebAssembly.promising === "function";

/** The maximum ms for setTimeout: 31 bits. */
const longestTimer = 0x7fffffff;

// A turn of the event loop without setTimeout's minimum of 4 ms: messages of the connection arrive before it ends.
let turns = null;
function nextTurn() {
  if (typeof setImmediate === "function") return new Promise((resolve) => { setImmediate(resolve); });
  if (!turns) {
    const { port1, port2 } = new MessageChannel();
    const waiting = [];
    port1.onmessage = () => waiting.shift()();
    turns = (resolve) => {
      waiting.push(resolve);
      port1.ref?.();
      port2.postMessage(0);
    };
  }
  return new Promise(turns);
}

/** A guest that found everything ready for this many ms lets the event loop run once, so that messages can arrive. */
const longestTurn = 8;

/** Runs operations; returns an errno if none had to wait, else a promise of one. */
export class JspiBlocker {
  #turnStarted = 0;
  #aborted = null;

  run(table, operation, options) {
    if (performance.now() - this.#turnStarted > longestTurn) return this.#afterTurn(table, operation, options);
    const result = operation();
    if (result !== AGAIN) return result < 0 ? -result : 0;
    return this.#wait(table, operation, options);
  }

  async #afterTurn(table, operation, options) {
    await nextTurn();
    this.#turnStarted = performance.now();
    return this.run(table, operation, options);
  }

  async #wait(table, operation, options) {
    try {
      return await this.#waitFor(table, operation, options);
    } finally {
      this.#turnStarted = performance.now();
    }
  }

  async #waitFor(table, operation, { nonblocking, deadline, clock }) {
    let result;
    if (nonblocking) {
      await nextTurn();
      result = operation();
      return result === AGAIN ? Errno.AGAIN : result < 0 ? -result : 0;
    }
    for (;;) {
      await changeOr(table, deadline - clock.monotonic());
      // The time is read first: an operation that checks the clock itself must see the deadline before it is given up.
      const isLate = clock.monotonic() >= deadline;
      result = operation();
      if (result !== AGAIN) return result < 0 ? -result : 0;
      if (isLate) return Errno.AGAIN;
    }
  }

  /** A turn of the event loop, for sched_yield. */
  async yield() {
    await nextTurn();
    if (this.#aborted) throw this.#aborted.reason;
    return 0;
  }

  /** The core ends a guest that calls it; this one that only yields. */
  abort(reason) { this.#aborted = { reason }; }

  /** A function for the guest to import. */
  wrapImport(call) { return new WebAssembly.Suspending(call); }

  /** An export for JavaScript to call: returns a promise. */
  wrapExport(call) { return WebAssembly.promising(call); }
}

function changeOr(table, ms) {
  return new Promise((resolve) => {
    if (ms === Infinity) {
      table.onceChanged(resolve);
      return;
    }
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, Math.min(Math.max(ms, 0), longestTimer));
    const forget = table.onceChanged(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// Blocking with Atomics.wait on shared memory: the guest's thread blocks while another runs the client. Needs a page that is
// cross-origin isolated (COOP and COEP).

import { Errno } from "./errno.js";
import { AGAIN } from "./table.js";

/** Whether shared memory can be used here. */
export const hasSharedMemory = () => typeof SharedArrayBuffer === "function" && globalThis.crossOriginIsolated !== false;

/** The maximum for Atomics.wait; longer waits are split. */
const longestWait = 0x7fffffff;

export class SabBlocker {
  #transport;

  /** `transport` is a RemoteTransport. */
  constructor(transport) {
    this.#transport = transport;
  }

  run(table, operation, { nonblocking, deadline, clock }) {
    this.#transport.pump();
    let result = operation();
    if (result === AGAIN && nonblocking) {
      this.#transport.pump();
      result = operation();
      return result === AGAIN ? Errno.AGAIN : result < 0 ? -result : 0;
    }
    while (result === AGAIN) {
      const left = deadline - clock.monotonic();
      this.#transport.wait(Math.min(Math.max(left, 0), longestWait));
      this.#transport.pump();
      // Read first, as in jspi.js.
      const isLate = clock.monotonic() >= deadline;
      result = operation();
      if (result === AGAIN && isLate) return Errno.AGAIN;
    }
    return result < 0 ? -result : 0;
  }

  yield() {
    this.#transport.pump();
    return 0;
  }

  wrapImport(call) { return call; }
  wrapExport(call) { return call; }
}

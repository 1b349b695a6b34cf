// A program's output: passed on, or kept as text if there is no receiver.

import { call } from "../lib/errors.js";

/** Bytes that are kept; later ones are dropped. */
const mostKept = 16 * 1024 * 1024;

export class OutputText {
  #parts = [];
  #length = 0;

  /** `take` is called with each Uint8Array and may return a promise; a WritableStream also works; without either they are kept. */
  constructor(take) {
    if (typeof take?.getWriter === "function") {
      const writer = take.getWriter();
      this.write = (bytes) => writer.write(bytes).catch(() => {});
    } else if (take) {
      // A program's write must not fail because of an exception here.
      this.write = (bytes) => {
        let taking;
        call(() => { taking = take(bytes); });
        if (typeof taking?.then === "function") taking.then(undefined, (error) => call(() => { throw error; }));
        return taking;
      };
    } else {
      this.write = (bytes) => this.#keep(bytes);
    }
  }

  #keep(bytes) {
    const room = mostKept - this.#length;
    if (room <= 0) return;
    this.#parts.push(bytes.subarray(0, room));
    this.#length += Math.min(bytes.length, room);
  }

  /** The kept output, as text. */
  get text() {
    const decoder = new TextDecoder();
    return this.#parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  }
}

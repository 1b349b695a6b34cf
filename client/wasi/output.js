// A program's output: passed on, or kept as text if there is no receiver.

import { callBack } from "./callback.js";

/** Bytes that are kept; later ones are dropped. */
const mostKept = 16 * 1024 * 1024;

export class OutputText {
  #parts = [];
  #length = 0;

  /** Unlocks the stream; it stays open, because others may write to it next. */
  release = () => {};

  /** `take` is called with each Uint8Array and may return a promise; a WritableStream also works; without either they are kept. */
  constructor(take) {
    if (typeof take?.getWriter === "function") {
      const writer = take.getWriter();
      // Its owner sees that a stream has failed; the program's write must not.
      this.write = (bytes) => writer.write(bytes).catch(() => {});
      this.release = () => writer.releaseLock();
    } else if (take) {
      this.write = (bytes) => callBack(take, bytes);
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

/** Both outputs of a program; if they are one stream, they share its one writer. */
export function outputsTo(stdout, stderr) {
  const first = new OutputText(stdout);
  return { stdout: first, stderr: stderr && stderr === stdout ? first : new OutputText(stderr) };
}

// The guest's standard input: data that it has not read yet.

import { toBytes } from "../lib/bytes.js";
import { check } from "../lib/check.js";
import { callBack } from "./callback.js";
import { ByteQueue } from "./queue.js";
import { AGAIN } from "./table.js";

/** Bytes read ahead from a stream before the guest has taken them. */
export const readAhead = 64 * 1024;

export class Input {
  #queue = new ByteQueue();
  #changed;
  #wanted = null;
  ended = false;
  /** Called with the number of bytes that the guest took. */
  onread = null;

  /** `changed` is called when there is more to read. */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  get length() { return this.#queue.length; }

  push(bytes) {
    this.#queue.push(bytes);
    this.#changed();
  }

  end() {
    this.ended = true;
    this.#changed();
  }

  read(views) {
    if (this.#queue.length === 0) return this.ended ? 0 : AGAIN;
    const count = this.#queue.read(views);
    this.onread?.(count);
    if (this.#queue.length < readAhead) this.#wanted?.();
    return count;
  }

  /** Fills from an InputSource; pauses while too much waits. */
  async fill(source) {
    for await (const part of source.parts()) {
      this.push(part);
      while (this.#queue.length >= readAhead) await new Promise((resolve) => { this.#wanted = resolve; });
    }
    this.end();
  }
}

/** Where standard input comes from: nothing, a string, bytes, a ReadableStream, which is locked until cancel(), or any async iterable of bytes or strings. */
export class InputSource {
  #iterator;
  #hasEnded = false;
  #release = () => {};

  constructor(source) {
    if (typeof source?.getReader === "function") {
      // Not every browser can iterate over streams.
      const reader = source.getReader();
      // The cancelling of a stream that failed fails too.
      this.#iterator = { next: () => reader.read(), return: () => reader.cancel().catch(() => {}) };
      this.#release = () => reader.releaseLock();
    } else {
      const parts = typeof source === "string" || ArrayBuffer.isView(source) ? [source] : source ?? [];
      this.#iterator = (parts[Symbol.asyncIterator] ?? parts[Symbol.iterator]).call(parts);
    }
  }

  /** Its bytes, part by part. */
  async *parts() {
    for (;;) {
      const part = await this.#next();
      if (this.#hasEnded) return;
      if (typeof part !== "string" && !ArrayBuffer.isView(part)) check("each part of stdin", part, [], "a string or bytes");
      yield toBytes(part);
    }
  }

  async #next() {
    try {
      const { done, value } = await this.#iterator.next();
      this.#hasEnded ||= Boolean(done);
      return value;
    } catch (error) {
      this.#hasEnded = true;
      throw error;
    }
  }

  /** Nobody reads on: a source that has not ended is told so. */
  cancel() {
    if (!this.#hasEnded) callBack(() => this.#iterator.return?.());
    this.#hasEnded = true;
    this.#release();
  }
}

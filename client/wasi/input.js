// The guest's standard input: data that it has not read yet.

import { toBytes } from "../lib/bytes.js";
import { check } from "../lib/check.js";
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

  /** Fills from nothing, a string, bytes, a ReadableStream or any async iterable of bytes or strings; pauses while too much waits. */
  async fill(source) {
    if (source === undefined || source === null) {
      this.end();
      return;
    }
    for await (const part of chunksOf(source)) {
      this.push(part);
      while (this.#queue.length >= readAhead) await new Promise((resolve) => { this.#wanted = resolve; });
    }
    this.end();
  }
}

/** The bytes of a string, of bytes, of a ReadableStream or of any async iterable of bytes or strings, part by part. */
export async function* chunksOf(source) {
  if (typeof source === "string" || ArrayBuffer.isView(source)) source = [source];
  for await (const part of typeof source.getReader === "function" ? readAll(source) : source) {
    if (typeof part !== "string" && !ArrayBuffer.isView(part)) check("each part of stdin", part, [], "a string or bytes");
    yield toBytes(part);
  }
}

// Not every browser can iterate over streams.
async function* readAll(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

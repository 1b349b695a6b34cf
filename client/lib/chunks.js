// A queue of bytes in the pieces in which they came.

/** Small pieces that wait are gathered into ones of this size: a piece costs some hundred bytes, whatever is in it. */
const GATHER = 16 << 10;
const SMALL = 4 << 10;

export class ChunkQueue {
  /** Bytes used of the last piece, when it is one that gathers; else -1. */
  #filled = -1;
  #chunks = [];
  /** Bytes in the queue. */
  size = 0;

  push(chunk) {
    const { length } = chunk;
    this.size += length;
    const isSmall = length <= SMALL;
    if (isSmall && this.#filled >= 0 && this.#filled + length <= GATHER) {
      this.#chunks.at(-1).set(chunk, this.#filled);
      this.#filled += length;
      return;
    }
    this.#seal();
    if (isSmall && this.#chunks.length) {
      this.#chunks.push(new Uint8Array(GATHER));
      this.#chunks.at(-1).set(chunk);
      this.#filled = length;
    } else {
      this.#chunks.push(chunk);
    }
  }

  /** Takes the first piece; there must be one. */
  shift() {
    if (!this.#chunks[1]) this.#seal();
    const chunk = this.#chunks.shift();
    this.size -= chunk.length;
    return chunk;
  }

  /** Puts a piece back to the front. */
  unshift(chunk) {
    this.#chunks.unshift(chunk);
    this.size += chunk.length;
  }

  clear() {
    this.#chunks = [];
    this.#filled = -1;
    this.size = 0;
  }

  #seal() {
    if (this.#filled >= 0) this.#chunks.push(this.#chunks.pop().subarray(0, this.#filled));
    this.#filled = -1;
  }
}

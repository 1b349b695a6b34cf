// A queue of bytes in the pieces in which they arrived.

/** Small waiting pieces are gathered into pieces of this size: each costs some hundred bytes, whatever its content. */
const GATHER = 16 << 10;
const SMALL = 4 << 10;

export class ChunkQueue {
  /** Bytes used of the last piece, if it gathers; else 0. */
  #filled = 0;
  #chunks = [];
  /** Bytes in the queue. */
  size = 0;

  push(chunk) {
    const { length } = chunk;
    this.size += length;
    const gathers = length <= SMALL && this.#chunks.length > 0;
    if (!gathers || !this.#filled || this.#filled + length > GATHER) {
      this.#seal();
      this.#chunks.push(gathers ? new Uint8Array(GATHER) : chunk);
    }
    if (!gathers) return;
    this.#chunks.at(-1).set(chunk, this.#filled);
    this.#filled += length;
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
    this.#filled = 0;
    this.size = 0;
  }

  #seal() {
    if (this.#filled) this.#chunks.push(this.#chunks.pop().subarray(0, this.#filled));
    this.#filled = 0;
  }
}

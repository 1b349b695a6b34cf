// A queue of bytes in the pieces in which they came.

/** Small pieces that wait are gathered into ones of this size: a piece costs some hundred bytes, whatever is in it. */
const GATHER = 16 << 10;
const SMALL = 4 << 10;

export class ChunkQueue {
  #chunks = [];
  #head = 0;
  /** Bytes used of the last piece, when it is one that gathers; else -1. */
  #filled = -1;
  /** Bytes in the queue. */
  size = 0;

  get isEmpty() { return this.#head === this.#chunks.length; }

  push(chunk) {
    this.size += chunk.length;
    const last = this.#chunks.length - 1;
    if (chunk.length > SMALL) {
      this.#seal();
      this.#chunks.push(chunk);
    } else if (this.#filled >= 0 && this.#filled + chunk.length <= GATHER) {
      this.#chunks[last].set(chunk, this.#filled);
      this.#filled += chunk.length;
    } else if (this.isEmpty) {
      this.#chunks.push(chunk);
    } else {
      this.#seal();
      const gathered = new Uint8Array(GATHER);
      gathered.set(chunk);
      this.#chunks.push(gathered);
      this.#filled = chunk.length;
    }
  }

  shift() {
    if (this.isEmpty) return undefined;
    if (this.#head === this.#chunks.length - 1) this.#seal();
    const chunk = this.#chunks[this.#head];
    this.#chunks[this.#head++] = undefined;
    if (this.isEmpty || this.#head > 1024) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
    this.size -= chunk.length;
    return chunk;
  }

  /** Puts a piece back to the front. */
  unshift(chunk) {
    if (this.#head > 0) this.#chunks[--this.#head] = chunk;
    else this.#chunks.unshift(chunk);
    this.size += chunk.length;
  }

  clear() {
    this.#chunks = [];
    this.#head = 0;
    this.#filled = -1;
    this.size = 0;
  }

  #seal() {
    if (this.#filled < 0) return;
    const last = this.#chunks.length - 1;
    this.#chunks[last] = this.#chunks[last].subarray(0, this.#filled);
    this.#filled = -1;
  }
}

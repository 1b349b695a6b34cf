// Random numbers from a seed.

const POOL = Uint8Array.from({ length: 1 << 17 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);

export class Random {
  #state;

  constructor(seed) { this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1; }

  /** A whole number below 2^32 (xorshift). */
  next() {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (this.#state = state >>> 0);
  }

  below(count) { return this.next() % count; }
  chance(of) { return this.below(of) === 0; }
  pick(list) { return list[this.below(list.length)]; }
  bytes(length) {
    const at = this.below(POOL.length - length);
    return POOL.slice(at, at + length);
  }
}

// Received bytes, in order, waiting for the guest to read them.

/** Small waiting pieces are gathered into pieces of this size, as in the client: each costs some hundred bytes, whatever its content. */
const gathered = 16 * 1024;
const small = 4 * 1024;

export class ByteQueue {
  #chunks = [];
  #first = 0; // bytes of #chunks[0] already read
  #gathering = null; // what the last chunk is the filled part of, if it gathers
  length = 0; // bytes waiting

  push(bytes) {
    const { length } = bytes;
    if (length === 0) return;
    this.length += length;
    if (length > small || this.#chunks.length === 0) {
      this.#gathering = null;
      this.#chunks.push(bytes);
      return;
    }
    const last = this.#gathering ? this.#chunks.at(-1).length : gathered;
    const fits = last + length <= gathered;
    if (!fits) this.#gathering = new Uint8Array(gathered);
    const filled = fits ? last : 0;
    this.#gathering.set(bytes, filled);
    this.#chunks[this.#chunks.length - (fits ? 1 : 0)] = this.#gathering.subarray(0, filled + length);
  }

  /** Copies as much as fits into `views`; returns the number of bytes. `peek` leaves them in the queue. */
  read(views, peek = false) {
    let copied = 0;
    let index = 0;
    let offset = this.#first;
    for (const view of views) {
      let filled = 0;
      while (filled < view.length && index < this.#chunks.length) {
        const chunk = this.#chunks[index];
        const count = Math.min(view.length - filled, chunk.length - offset);
        view.set(offset === 0 && count === chunk.length ? chunk : chunk.subarray(offset, offset + count), filled);
        filled += count;
        offset += count;
        if (offset === chunk.length) {
          index++;
          offset = 0;
        }
      }
      copied += filled;
      if (filled < view.length) break;
    }
    if (!peek) {
      if (index > 0) this.#chunks.splice(0, index);
      this.#first = offset;
      this.length -= copied;
      if (this.length === 0) this.#gathering = null;
    }
    return copied;
  }

  clear() {
    const dropped = this.length;
    this.#chunks = [];
    this.#gathering = null;
    this.#first = 0;
    this.length = 0;
    return dropped;
  }
}

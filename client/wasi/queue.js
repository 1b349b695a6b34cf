// Received bytes, in order, waiting for the guest to read them.

export class ByteQueue {
  #chunks = [];
  #first = 0; // bytes of #chunks[0] already read
  length = 0; // bytes waiting

  push(bytes) {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.length += bytes.length;
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
    }
    return copied;
  }

  clear() {
    const dropped = this.length;
    this.#chunks = [];
    this.#first = 0;
    this.length = 0;
    return dropped;
  }
}

// Credit of v2, in payload bytes, on one socket.

/** The maximum credit granted on one socket, and beyond the first windows on one WebSocket. */
const MOST_PER_SOCKET = 16 << 20;
const MOST_PER_LINK = 64 << 20;
/** The minimum round trip to assume, in ms: it reduces the number of grants, each a message. */
const LEAST_ROUND_MS = 5;

/** Receive credit: granted as the program reads, and increased if one window a round trip is too little. */
export class ReceiveWindow {
  #outstanding;
  #size;
  #roundStart = -Infinity;
  #roundBytes = 0;
  #grown = 0;
  #consumed = 0;

  constructor(first) {
    this.#size = this.#outstanding = first;
  }

  /** @returns whether the node stayed within its credit */
  _received(count) { return (this.#outstanding -= count) >= 0; }

  /**
   * The program has read this many bytes.
   *
   * @param link has `rtt` (ms, or undefined) and `windowGrowth` (bytes)
   * @returns how much credit to grant; 0 while it is not worth a message
   */
  consumed(count, link, now) {
    // Never more than the bytes held by the program: those neither granted nor due to be granted.
    count = Math.min(count, this.#size - this.#outstanding - this.#consumed);
    this.#consumed += count;
    const round = Math.max(LEAST_ROUND_MS, link._rtt ?? 0);
    const elapsed = now - this.#roundStart;
    this.#roundBytes += count;
    // It doubles when nearly a whole window was read within about a round trip: then the window limits the node.
    if (this.#roundBytes >= this.#size * 3 / 4 && elapsed <= 2 * round) {
      const more = Math.max(0, Math.min(this.#size, MOST_PER_SOCKET - this.#size, MOST_PER_LINK - link._windowGrowth));
      this.#size += more;
      this.#consumed += more;
      this.#grown += more;
      link._windowGrowth += more;
    }
    if (elapsed > round) {
      this.#roundStart = now;
      this.#roundBytes = 0;
    }
    if (this.#consumed < this.#size / 2 && this.#outstanding >= this.#size / 4) return 0;
    const grant = this.#consumed;
    this.#consumed = 0;
    this.#outstanding += grant;
    return grant;
  }

  /** The socket has ended: other sockets can use its growth. */
  _release(link) { link._windowGrowth -= this.#grown; }
}

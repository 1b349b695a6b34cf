// A program's pending output: bounded, so that a program that prints without pause waits for the receiver.

/** Pending bytes of both streams together; beyond this a write waits. */
export const outputWindow = 256 * 1024;

/** Taken bytes of a program in another thread that are not yet worth a notification. */
const ackStep = 64 * 1024;

/** In the program's thread: bytes passed to the sinks and not yet taken. */
export class OutputGate {
  #sinks;
  #isAcknowledged;
  #changed;
  #outstanding = 0;

  /**
   * @param sinks by descriptor: functions that receive bytes, and may return a promise that settles when they took them
   * @param isAcknowledged whether taken() is called for them instead
   * @param changed called when there is room again
   */
  constructor(sinks, { isAcknowledged = false, changed = () => {} } = {}) {
    this.#sinks = sinks;
    this.#isAcknowledged = isAcknowledged;
    this.#changed = changed;
  }

  /** Bytes that can be written now. */
  get room() { return Math.max(0, outputWindow - this.#outstanding); }

  write(fd, bytes) {
    const { length } = bytes;
    const taking = this.#sinks[fd](bytes);
    if (this.#isAcknowledged) this.#outstanding += length;
    else if (typeof taking?.then === "function") {
      this.#outstanding += length;
      const taken = () => this.taken(length);
      taking.then(taken, taken);
    }
  }

  taken(count) {
    this.#outstanding -= count;
    this.#changed();
  }
}

/** In the other thread: calls sinks, and from time to time `acknowledge` with the number of bytes that they took. */
export class OutputTaker {
  #acknowledge;
  #taken = 0;

  constructor(acknowledge) {
    this.#acknowledge = acknowledge;
  }

  /** Passes bytes to a sink; the caller gets its exceptions, and the bytes count as taken. */
  give(sink, bytes) {
    const { length } = bytes;
    const taken = () => this.#took(length);
    let taking;
    try {
      taking = sink(bytes);
    } finally {
      if (typeof taking?.then === "function") taking.then(taken, taken);
      else taken();
    }
  }

  #took(count) {
    this.#taken += count;
    if (this.#taken < ackStep) return;
    this.#acknowledge(this.#taken);
    this.#taken = 0;
  }
}

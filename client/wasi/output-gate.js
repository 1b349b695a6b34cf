// A program's output on its way: bounded, so that a program that prints without pause waits for whoever takes it.

/** Bytes of both streams together that may be on their way; then a write waits. */
export const outputWindow = 256 * 1024;

/** Taken bytes of a program in another thread that are not worth telling it yet. */
const ackStep = 64 * 1024;

/** At the program: what was given to the sinks and is not taken yet. */
export class OutputGate {
  #sinks;
  #isAcknowledged;
  #changed;
  #outstanding = 0;

  /**
   * @param sinks by descriptor: functions that get bytes, and may return a promise that settles when they took them
   * @param isAcknowledged whether taken() is called for them instead
   * @param changed called when there is room again
   */
  constructor(sinks, { isAcknowledged = false, changed = () => {} } = {}) {
    this.#sinks = sinks;
    this.#isAcknowledged = isAcknowledged;
    this.#changed = changed;
  }

  /** Bytes that a write may have now. */
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

/** At the other thread: calls sinks, and `acknowledge` with the number of bytes that they took, now and then. */
export class OutputTaker {
  #acknowledge;
  #taken = 0;

  constructor(acknowledge) {
    this.#acknowledge = acknowledge;
  }

  /** Gives bytes to a sink; what that throws is the caller's, and the bytes are taken. */
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

// What came for a socket and waits for its listener, so that one that is set late misses nothing.

import { ChunkQueue } from "./chunks.js";
import { call } from "./errors.js";

/** Bytes of datagrams that wait; the oldest are dropped and counted. Each counts for some more, since keeping it costs that. */
const MOST_DATAGRAM_BYTES = 256 << 10;
const DATAGRAM_COST = 128;

/** Each `on...` is called with what came, in order, and once with each end. Data comes before the end, the end before `onclosed`. */
export class Mailbox {
  #chunks = new ChunkQueue();
  #datagrams = [];
  #accepts = [];
  #hasEnded = false;
  #closed = null;
  #isPaused = false;
  #listeners = { data: null, datagram: null, accept: null, end: null, closed: null };

  #datagramBytes = 0;

  /** Datagrams that were lost here: the oldest of those that wait too long to be read, and those that could not be sent. */
  dropped = 0;

  /** Bytes that wait here, those of waiting connections too. */
  get held() { return this.#accepts.reduce((sum, socket) => sum + socket.held, this.waitingBytes + this.#datagramBytes); }
  get waitingBytes() { return this.#chunks.size; }
  get waitingDatagrams() { return this.#datagrams.length; }
  get waitingAccepts() { return this.#accepts.length; }

  /** While true what comes waits, and the ends wait behind data. */
  get paused() { return this.#isPaused; }
  set paused(isPaused) {
    this.#isPaused = isPaused;
    if (!isPaused) this.#deliver();
  }

  // `ondata(chunk)`, `ondatagram(data, addr, port)`, `onaccept(socket)`, `onend()`: the target has no more to send, and `onclosed(error)`: the last
  // of all, also when the socket never opened.
  static {
    for (const name of ["data", "datagram", "accept", "end", "closed"]) {
      Object.defineProperty(this.prototype, `on${name}`, {
        get() { return this.#listeners[name]; },
        set(listener) {
          this.#listeners[name] = listener;
          if (listener) this.#deliver();
        },
      });
    }
  }

  mailData(chunk) {
    this.#chunks.push(chunk);
    this.#deliver();
  }

  mailDatagram(data, addr, port) {
    this.#datagrams.push([data, addr, port]);
    this.#datagramBytes += data.length + DATAGRAM_COST;
    this.#deliver();
    for (; this.#datagramBytes > MOST_DATAGRAM_BYTES; this.dropped++) this.#nextDatagram();
  }

  #nextDatagram() {
    const datagram = this.#datagrams.shift();
    this.#datagramBytes -= datagram[0].length + DATAGRAM_COST;
    return datagram;
  }

  mailAccept(socket) {
    this.#accepts.push(socket);
    this.#deliver();
  }

  mailEnd() {
    this.#hasEnded = true;
    this.#deliver();
  }

  mailClosed(error) {
    this.#closed = error;
    this.#deliver();
  }

  dropMail() {
    this.#chunks.clear();
    this.#datagrams = [];
    this.#datagramBytes = 0;
    for (const socket of this.#accepts.splice(0)) socket.reset();
  }

  #deliver() {
    const on = this.#listeners;
    while (on.data && !this.#isPaused && !this.#chunks.isEmpty) call(on.data, this.#chunks.shift(), this);
    while (on.datagram && !this.#isPaused && this.#datagrams.length) {
      call(on.datagram, ...this.#nextDatagram());
    }
    while (on.accept && !this.#isPaused && this.#accepts.length) call(on.accept, this.#accepts.shift());
    // Who listens for the end alone gets it though data waits.
    if (this.#hasEnded && on.end && (this.#chunks.isEmpty || !on.data)) {
      this.#hasEnded = false;
      call(on.end);
    }
    if (this.#closed && on.closed && (this.#chunks.isEmpty || !on.data)) {
      const error = this.#closed;
      this.#closed = null;
      call(on.closed, error);
    }
  }
}

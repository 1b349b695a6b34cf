// Events of a socket that wait for its listener, so that a listener that is set late misses nothing.

import { ChunkQueue } from "./chunks.js";
import { call } from "./errors.js";

/** Bytes of waiting datagrams; the oldest are dropped and counted. Each counts for more than its size, to cover its overhead. */
const MOST_DATAGRAM_BYTES = 256 << 10;
const DATAGRAM_COST = 128;

/** The object with the listeners. */
export const MAIL = ["ondata", "ondatagram", "onaccept", "onend", "onclosed"];

/** Each `on...` is called with its events in order, and once with each end. Data comes before the end, the end before `onclosed`. */
export class Mailbox {
  #chunks = new ChunkQueue();
  #datagrams = [];
  #accepts = [];
  #datagramBytes = 0;
  #listeners = {};
  /** The ends still to be reported, by name, with their arguments. */
  #ends = {};

  #isPaused = false;

  /** Datagrams lost here: the oldest of those that waited too long to be read, and those that could not be sent. */
  dropped = 0;

  /** Bytes that wait here, including those of waiting connections that have ended. */
  get held() { return this.#accepts.reduce((sum, socket) => sum + (socket.ending && socket.held), this.waitingBytes); }
  get waitingBytes() { return this.#chunks.size; }
  get waitingDatagrams() { return this.#datagrams.length; }
  get waitingAccepts() { return this.#accepts.length; }

  /** While true events wait, and the ends wait behind data. */
  get paused() { return this.#isPaused; }
  set paused(isPaused) {
    this.#isPaused = isPaused;
    if (!isPaused) this.#deliver();
  }

  // `ondata(chunk)`, `ondatagram(data, addr, port)`, `onaccept(socket)`, `onend()`: the target has no more to send, and `onclosed(error)`:
  // the last of all, also if the socket never opened.
  static {
    for (const name of MAIL) {
      Object.defineProperty(this.prototype, name, {
        get() { return this.#listeners[name] ?? null; },
        set(listener) {
          this.#listeners[name] = listener;
          if (listener) this.#deliver();
        },
      });
    }
  }

  _mailData(chunk) {
    this.#chunks.push(chunk);
    this.#deliver();
  }

  _mailDatagram(...datagram) {
    this.#datagrams.push(datagram);
    this.#datagramBytes += datagram[0].length + DATAGRAM_COST;
    this.#deliver();
    for (; this.#datagramBytes > MOST_DATAGRAM_BYTES; this.dropped++) this.#nextDatagram();
  }

  #nextDatagram() {
    const datagram = this.#datagrams.shift();
    this.#datagramBytes -= datagram[0].length + DATAGRAM_COST;
    return datagram;
  }

  _mailAccept(socket) {
    this.#accepts.push(socket);
    this.#deliver();
  }

  _mailEnd(name, error) {
    this.#ends[name] = error;
    this.#deliver();
  }

  _dropMail() {
    this.#chunks.clear();
    this.#datagrams = [];
    this.#datagramBytes = 0;
    for (const socket of this.#accepts.splice(0)) socket.reset();
  }

  #deliver() {
    const on = this.#listeners;
    while (on.ondata && !this.#isPaused && this.#chunks.size) call(on.ondata, this.#chunks.shift(), this);
    while (on.ondatagram && !this.#isPaused && this.#datagrams.length) call(on.ondatagram, ...this.#nextDatagram());
    while (on.onaccept && !this.#isPaused && this.#accepts.length) call(on.onaccept, this.#accepts.shift());
    // A program that listens only for the end gets it even if data waits.
    for (const name in this.#ends) {
      if (!on[name] || (this.#chunks.size && on.ondata)) continue;
      const error = this.#ends[name];
      delete this.#ends[name];
      call(on[name], error);
    }
  }
}

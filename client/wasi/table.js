// The guest's open sockets by descriptor, and the operations that wait for a change of one.

import { Errno } from "./errno.js";

/** The result of an operation that has to wait. Others are counts (>= 0) or a negated errno. */
export const AGAIN = -1000;

export class SocketTable {
  #sockets = new Map();
  #waiters = new Set();
  #firstFd;
  #taken;

  /** Descriptors are the lowest free ones from `firstFd`; `taken(fd)` reports which the base shim uses. */
  constructor({ firstFd = 3, taken = () => false } = {}) {
    this.#firstFd = firstFd;
    this.#taken = taken;
  }

  get(fd) { return this.#sockets.get(fd); }
  has(fd) { return this.#sockets.has(fd); }
  /** The errno of a socket's call on a descriptor that is none. */
  missing(fd) { return this.#taken(fd) ? Errno.NOTSOCK : Errno.BADF; }
  get size() { return this.#sockets.size; }
  values() { return this.#sockets.values(); }

  /** Assigns `socket` the lowest free descriptor, from `atLeast` on if given. */
  add(socket, atLeast = this.#firstFd) {
    let fd = atLeast;
    while (this.#sockets.has(fd) || this.#taken(fd)) fd++;
    this.#sockets.set(fd, socket);
    return fd;
  }

  remove(fd) {
    const socket = this.#sockets.get(fd);
    this.#sockets.delete(fd);
    return socket;
  }

  /** Moves `from` to `to`, closing the old `to`. */
  renumber(from, to) {
    const socket = this.#sockets.get(from);
    if (from === to) return;
    this.#sockets.get(to)?.close();
    this.#sockets.delete(from);
    this.#sockets.set(to, socket);
  }

  /** Closes every socket: the guest has ended. */
  closeAll() {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.changed();
  }

  /** Called by sockets whenever one may have become readable, writable or ended. */
  changed() {
    if (this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Calls `wake` once, at the next change. Returns a function that cancels it. */
  onceChanged(wake) {
    this.#waiters.add(wake);
    return () => this.#waiters.delete(wake);
  }
}

/** An operation whose first call starts an action and whose later calls check its result. */
export function retrying(start, ask) {
  let started = false;
  return () => {
    if (started) return ask();
    started = true;
    return start();
  };
}

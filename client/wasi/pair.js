// Two connected sockets inside one program, for socketpair(): no network is involved.

import { Errno } from "./errno.js";
import { Family } from "./address.js";
import { ByteQueue } from "./queue.js";
import { AGAIN } from "./table.js";

/** Pending bytes to one end; a sender waits beyond them. */
const capacity = 64 * 1024;

export class PairSocket {
  nonblocking = false;
  receiveTimeout = 0; // ms, 0: none
  sendTimeout = 0; // ms, 0: none
  options = new Map();
  family = Family.UNIX;
  phase = "connected";
  isListener = false;

  #table;
  #peer = null;
  #incoming = new ByteQueue(); // a stream's
  #datagrams = [];
  #size = 0; // of the waiting data, for both types
  #ended = false; // the peer sends no more
  #readShut = false;
  #writeShut = false;
  #closed = false;
  #error = 0; // errno that was not reported yet

  /** Both ends. `type` is "stream" or "datagram". */
  static make(table, type) {
    const one = new PairSocket(table, type);
    const other = new PairSocket(table, type);
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  constructor(table, type) {
    this.#table = table;
    this.type = type;
  }

  get #isStream() { return this.type === "stream"; }
  get #isOver() { return this.#readShut || (this.#isStream && (this.#ended || this.#peer.#closed)); }
  get #hungUp() { return this.#isStream && (this.#peer.#closed || (this.#ended && this.#writeShut)); }
  get #room() { return capacity - this.#peer.#size; }
  get hasFailed() { return this.#error !== 0 || this.#writeShut || this.#peer.#closed || this.#peer.#readShut; }

  send(bytes) {
    if (this.#error) return -this.takeError();
    if (this.#peer.#closed && !this.#isStream) return -Errno.CONNREFUSED;
    if (this.hasFailed) return -Errno.PIPE;
    if (!this.#isStream && bytes.length > capacity) return -Errno.MSGSIZE;
    if (bytes.length === 0 && this.#isStream) return 0;
    const count = this.#isStream ? Math.min(bytes.length, this.#room) : bytes.length;
    // An empty datagram counts too, or there could be any number of them.
    const cost = Math.max(count, 1);
    if (cost > this.#room) return AGAIN;
    const part = bytes.slice(0, count);
    if (this.#isStream) this.#peer.#incoming.push(part);
    else this.#peer.#datagrams.push(part);
    this.#peer.#size += cost;
    this.#table.changed();
    return count;
  }

  receive(views, { peek = false, from = {} } = {}) {
    if (this.readFails) return -this.takeError();
    if (this.#size === 0) return this.#isOver ? 0 : AGAIN;
    if (!this.#isStream) return this.#receiveDatagram(views, peek, from);
    const count = this.#incoming.read(views, peek);
    if (!peek) this.#taken(count);
    return count;
  }

  /** Whether the next read reports an error instead of bytes: what came before the peer closed is read first. */
  get readFails() { return this.#size === 0 && this.#error !== 0; }
  get queued() { return this.#size; }

  #receiveDatagram(views, peek, from) {
    const bytes = this.#datagrams[0];
    let copied = 0;
    for (const view of views) {
      const part = bytes.subarray(copied, copied + view.length);
      view.set(part);
      copied += part.length;
    }
    from.truncated = copied < bytes.length;
    if (!peek) {
      this.#datagrams.shift();
      this.#taken(Math.max(bytes.length, 1));
    }
    return copied;
  }

  #taken(count) {
    this.#size -= count;
    this.#table.changed();
  }

  /** `how`: 1 reading, 2 writing, 3 both. */
  shutdown(how) {
    if (how < 1 || how > 3) return -Errno.INVAL;
    if (how & 1) this.#readShut = true;
    if (how & 2) this.#writeShut = this.#peer.#ended = true;
    this.#table.changed();
    return 0;
  }

  close() {
    this.#closed = true;
    // Sent but unread data is lost, and its sender is notified.
    if (this.#isStream && this.#size > 0) this.#peer.#error = Errno.CONNRESET;
    this.#incoming.clear();
    this.#datagrams = [];
    this.#table.changed();
  }

  readable() {
    return { ready: this.#size > 0 || this.#isOver || this.#error !== 0, bytes: this.#size, hangup: this.#hungUp, hasEnded: this.#isOver };
  }

  writable() {
    const room = Math.max(this.#room, 0);
    return { ready: this.hasFailed || room > 0, bytes: room, hangup: this.#hungUp };
  }

  takeError() {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  // Functions of sockets with addresses only.

  connect() { return -Errno.INVAL; }
  connectResult() { return -Errno.INVAL; }
  disconnect() { return -Errno.INVAL; }
  bind() { return -Errno.INVAL; }
  bindResult() { return -Errno.INVAL; }
  listen() { return -Errno.INVAL; }
  listenResult() { return -Errno.INVAL; }
  accept() { return -Errno.INVAL; }
  ensureBound() { return 0; }
  localAddress() { return { bytes: new Uint8Array(0), port: 0 }; }
  peerAddress() { return { bytes: new Uint8Array(0), port: 0 }; }
}

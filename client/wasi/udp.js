// A datagram socket as a guest sees it. One datagram a call, never split or joined; what a slow guest does not take is dropped and counted.

import { Errno, errnoOf } from "./errno.js";
import { formatAddress, parseAddress, parseEndpoint } from "./address.js";
import { AGAIN } from "./table.js";

/** Bytes of datagrams that wait for the guest; further ones are dropped, as a kernel's receive buffer would. */
const maxQueued = 256 * 1024;

export class UdpSocket {
  type = "datagram";
  nonblocking = false;
  receiveTimeout = 0; // ms, 0: none
  sendTimeout = 0; // ms, 0: none
  options = new Map();
  /** Datagrams dropped because the guest did not read. */
  dropped = 0;

  #table;
  #transport;
  #channel = null;
  #phase = "idle"; // idle, opening, open
  #peer = null; // { host, port } of connect
  #queue = [];
  #queued = 0;
  #error = 0;
  #closed = false;
  #local = null;
  #readShut = false;

  constructor(table, transport, family) {
    this.#table = table;
    this.#transport = transport;
    this.family = family;
  }

  get isListener() { return false; }
  /** Datagrams that wait to be read. */
  get queued() { return this.#queue.length; }
  get isOpening() { return this.#phase === "opening"; }

  #open(start) {
    this.#phase = "opening";
    this.#closed = false;
    this.#error = 0;
    this.#channel = start({
      opened: ({ local }) => {
        this.#phase = "open";
        this.#local = local;
        this.#table.changed();
      },
      datagram: (bytes, host, port) => this.#received(bytes, host, port),
      // About one datagram (its destination is denied, say): the next call reports it, and the socket lives on.
      failed: (code) => {
        this.#error = errnoOf(code, true);
        this.#table.changed();
      },
      closed: (code) => {
        this.#error = errnoOf(code, this.#phase === "open");
        if (this.#phase === "opening") this.#error ||= Errno.IO;
        this.#closed = true;
        this.#phase = "idle";
        this.#table.changed();
      },
    });
  }

  #received(bytes, host, port) {
    if (this.#readShut) return;
    if (this.#queued + bytes.length > maxQueued) {
      this.dropped++;
      return;
    }
    this.#queue.push({ bytes, host, port });
    this.#queued += bytes.length;
    this.#table.changed();
  }

  bind(bytes, port) {
    if (this.#phase !== "idle") return -Errno.INVAL;
    this.#open((events) => this.#transport.bindUdp({ host: formatAddress(bytes), port }, events));
    return AGAIN;
  }

  connect(name, port) {
    this.#peer = { host: name, port };
    if (this.#phase === "idle") this.#open((events) => this.#transport.connectUdp({ host: name, port }, events));
    return AGAIN;
  }

  openResult() {
    if (this.#phase === "opening") return AGAIN;
    return this.#error ? -this.takeError() : 0;
  }

  bindResult() { return this.openResult(); }
  connectResult() { return this.openResult(); }
  ensureBound() { return this.#phase === "opening" ? AGAIN : 0; }

  /** Sends one datagram to the connected peer. */
  send(bytes) {
    if (!this.#peer) return -Errno.DESTADDRREQ;
    return this.sendTo(bytes, this.#peer.host, this.#peer.port);
  }

  /** Sends one datagram. A socket that was not bound is opened towards its first destination, which needs no right to bind. */
  sendTo(bytes, host, port) {
    if (this.#error) return -this.takeError();
    if (bytes.length > 65507) return -Errno.MSGSIZE;
    if (this.#phase === "idle") this.#open((events) => this.#transport.connectUdp({ host, port }, events));
    if (this.#phase === "opening") return AGAIN;
    this.#channel.sendTo(bytes, host, port);
    return bytes.length;
  }

  /** Reads one datagram. `from`, where given, is set to its sender; `truncated` to whether it did not fit. */
  receive(views, { peek = false, from = {} } = {}) {
    if (this.#queue.length === 0) {
      if (this.#error) return -this.takeError();
      if (this.#readShut || this.#closed) return 0;
      return AGAIN;
    }
    const { bytes, host, port } = this.#queue[0];
    let copied = 0;
    for (const view of views) {
      const part = bytes.subarray(copied, copied + view.length);
      view.set(part);
      copied += part.length;
    }
    from.bytes = parseAddress(host) ?? new Uint8Array(4);
    from.port = port;
    from.truncated = copied < bytes.length;
    if (!peek) {
      this.#queue.shift();
      this.#queued -= bytes.length;
    }
    return copied;
  }

  shutdown(how) {
    if (!this.#peer) return -Errno.NOTCONN;
    if (how & 1) this.#readShut = true;
    return 0;
  }

  close() {
    if (!this.#closed) this.#channel?.close();
    this.#channel = null;
    this.#closed = true;
    this.#queue = [];
  }

  takeError() {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  readable() {
    return { ready: this.#queue.length > 0 || this.#error !== 0 || this.#readShut, bytes: this.#queue[0]?.bytes.length ?? 0, hangup: this.#closed };
  }

  writable() { return { ready: this.#phase !== "opening", bytes: 65507, hangup: this.#closed }; }

  localAddress() { return parseEndpoint(this.#local ?? "", this.family); }

  peerAddress() {
    const bytes = this.#peer && parseAddress(this.#peer.host);
    return this.#peer ? { bytes: bytes ?? new Uint8Array(4), port: this.#peer.port } : null;
  }
}

// A datagram socket as a guest sees it. One datagram a call, never split or joined; the oldest beyond the queue are dropped and counted.

import { Errno, errnoOf } from "./errno.js";
import { asFamily, formatAddress, isSameAddress, parseAddress, parseEndpoint, unmapped } from "./address.js";
import { receiveErrors } from "./options.js";
import { AGAIN } from "./table.js";

/** Bytes of datagrams that wait for the guest; then the oldest are dropped. Each counts for more than its size, to cover its overhead. */
const maxQueued = 256 * 1024;
const datagramCost = 128;

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
  #bindTo = null; // { host, port } of bind
  #peer = null; // { host, port, bytes } of connect
  #queue = [];
  #queued = 0;
  #error = 0;
  #lost = 0; // errno with which the protocol's socket ended by itself
  #local = null;
  #readShut = false;
  #writeShut = false;

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
    this.#lost = 0;
    this.#channel = start({
      opened: ({ local }) => {
        this.#phase = "open";
        this.#local = local;
        this.#table.changed();
      },
      datagram: (bytes, host, port) => this.#received(bytes, host, port),
      // About one datagram (its destination is denied, for example): the next call reports it, and the socket stays open. A closed port
      // is reported only to connected sockets, as on Linux, and to those that requested it.
      failed: (code) => {
        if (code === "refused" && !this.#peer && !this.options.get(receiveErrors)) return;
        this.#error = errnoOf(code, true);
        this.#table.changed();
      },
      closed: (code) => {
        this.#error = this.#lost = errnoOf(code, this.#phase === "open") || Errno.IO;
        this.#phase = "idle";
        this.#channel = this.#bindTo = null;
        this.#table.changed();
      },
    });
  }

  #received(bytes, host, port) {
    if (this.#peer && !(port === this.#peer.port && isSameAddress(bytesOf(host), this.#peer.bytes))) return;
    this.#queue.push({ bytes, host, port });
    this.#queued += bytes.length + datagramCost;
    for (; this.#queued > maxQueued; this.dropped++) this.#forgetFirst();
    this.#table.changed();
  }

  #forgetFirst() { this.#queued -= this.#queue.shift().bytes.length + datagramCost; }

  bind(bytes, port) {
    if (this.#phase !== "idle") return -Errno.INVAL;
    this.#bindTo = { host: formatAddress(bytes), port };
    // A new socket replaces a lost one; a datagram's error is still to be reported.
    if (this.#lost) this.#error = 0;
    this.#open((events) => this.#transport.bindUdp(this.#bindTo, events));
    return AGAIN;
  }

  /** Sets the peer; can be repeated. */
  connect(name, port) {
    this.#peer = { host: name, port, bytes: bytesOf(name) };
    return port === 0 || this.#reach(name, port) ? 0 : AGAIN;
  }

  /** connect() with AF_UNSPEC: no peer, and no port unless it was bound to that one; a bound address stays. */
  disconnect() {
    this.#peer = null;
    if (this.#bindTo?.port) return 0;
    if (this.#channel) {
      this.#channel.handler = {};
      this.#channel.close();
    }
    this.#channel = this.#local = null;
    this.#phase = "idle";
    return 0;
  }

  // An unbound socket is opened towards its first destination, which needs no right to bind.
  #reach(host, port) {
    if (this.#phase === "idle") this.#open((events) => this.#transport.connectUdp({ host, port }, events));
    return this.#phase === "open";
  }

  openResult() {
    if (this.#phase === "opening") return AGAIN;
    return this.#lost ? -this.takeError() : 0;
  }

  bindResult() { return this.openResult(); }
  connectResult() { return this.openResult(); }
  ensureBound() { return this.#phase === "opening" ? AGAIN : 0; }

  /** Sends one datagram to the connected peer. */
  send(bytes) {
    if (!this.#peer) return -Errno.DESTADDRREQ;
    // Linux connects to port 0 too: what is sent there is lost.
    if (this.#peer.port === 0) return this.#error ? -this.takeError() : bytes.length;
    return this.sendTo(bytes, this.#peer.host, this.#peer.port);
  }

  /** Sends one datagram. A call that may wait first learns whether the socket could be opened. */
  sendTo(bytes, host, port) {
    if (this.#error) return -this.takeError();
    if (this.#writeShut) return -Errno.PIPE;
    if (port === 0) return -Errno.INVAL;
    if (bytes.length > 65507) return -Errno.MSGSIZE;
    if (!this.#reach(host, port) && !this.nonblocking) return AGAIN;
    this.#channel.sendTo(bytes, host, port);
    return bytes.length;
  }

  /** Reads one datagram. `from`, if given, is set to its sender; `truncated` to whether it did not fit. */
  receive(views, { peek = false, from = {} } = {}) {
    if (this.#queue.length === 0) {
      if (this.#error) return -this.takeError();
      if (this.#lost) return -this.#lost;
      return this.#readShut && !this.nonblocking ? 0 : AGAIN;
    }
    const { bytes, host, port } = this.#queue[0];
    let copied = 0;
    for (const view of views) {
      const part = bytes.subarray(copied, copied + view.length);
      view.set(part);
      copied += part.length;
    }
    from.bytes = asFamily(bytesOf(host), this.family);
    from.port = port;
    from.truncated = copied < bytes.length;
    if (!peek) this.#forgetFirst();
    return copied;
  }

  shutdown(how) {
    this.#readShut ||= (how & 1) !== 0;
    this.#writeShut ||= (how & 2) !== 0;
    return this.#peer ? 0 : -Errno.NOTCONN;
  }

  close() {
    this.#channel?.close();
    this.#channel = null;
    this.#phase = "idle";
    this.#queue = [];
    this.#queued = 0;
  }

  takeError() {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** An error alone makes a socket ready, but not readable: `only` marks this for callers that distinguish. */
  readable() {
    const isReadable = this.#queue.length > 0 || this.#readShut || this.#lost !== 0;
    const hasFailed = this.#error !== 0;
    return { ready: isReadable || hasFailed, only: !isReadable, bytes: this.#queue[0]?.bytes.length ?? 0, hangup: false, ...this.#flags() };
  }

  writable() { return { ready: this.#phase !== "opening", bytes: 65507, hangup: false, ...this.#flags() }; }

  #flags() { return { failed: this.#error !== 0, over: this.#readShut && this.#writeShut }; }

  /** The protocol carries only the port. */
  localAddress() {
    const { bytes, port } = parseEndpoint(this.#local ?? "", this.family);
    return { bytes: this.#bindTo ? asFamily(bytesOf(this.#bindTo.host), this.family) : bytes, port };
  }

  peerAddress() {
    return this.#peer?.port ? { bytes: asFamily(this.#peer.bytes, this.family), port: this.#peer.port } : null;
  }
}

/** The node writes an IPv4 address as such, also to a socket that reports it as a mapped one. */
const bytesOf = (host) => unmapped(parseAddress(host) ?? new Uint8Array(4));

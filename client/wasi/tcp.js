// A stream socket as a guest sees it: idle, then connecting, connected or listening, then ended. Nothing here blocks; an
// operation that would have to wait returns AGAIN and is called again after the table's next change.

import { Errno, errnoOf } from "./errno.js";
import { Family, formatAddress, parseEndpoint } from "./address.js";
import { ByteQueue } from "./queue.js";
import { AGAIN } from "./table.js";

/** What a read that asks for all of its buffer waits for at most: credit must come back before the window is used up. */
const maxWaitAll = 16 * 1024;

/** Connections that wait to be accepted before further ones are reset. */
const maxBacklog = 128;

export class TcpSocket {
  type = "stream";
  nonblocking = false;
  receiveTimeout = 0; // ms, 0: none
  sendTimeout = 0; // ms, 0: none
  /** SO_LINGER with no time: close drops what was not sent. */
  resetsOnClose = false;
  options = new Map();

  #table;
  #transport;
  #channel = null;
  #phase = "idle"; // idle, binding, bound, listening, connecting, connected
  #incoming = new ByteQueue();
  #ended = false; // the peer has no more to send
  #closed = false; // the wire's socket is gone
  #readShut = false;
  #writeShut = false;
  #error = 0; // errno that nobody was told yet
  #local = null;
  #remote = null;
  #backlog = maxBacklog;
  #waiting = []; // accepted, not yet handed to the guest
  #bindTo = null;

  constructor(table, transport, family) {
    this.#table = table;
    this.#transport = transport;
    this.family = family;
  }

  get isListener() { return this.#phase === "listening" || this.#phase === "bound" || this.#phase === "binding"; }
  get phase() { return this.#phase; }
  get queued() { return this.#incoming.length; }

  // Connecting

  /** Starts or continues a connect. `name` may be a name or an IP literal. */
  connect(name, port, { tls = false } = {}) {
    switch (this.#phase) {
      case "connected":
        return -Errno.ISCONN;
      case "connecting":
        return AGAIN;
      case "listening":
        return -Errno.INVAL;
      default:
        this.#channel?.close();
        this.#reset();
        this.#phase = "connecting";
        this.#remote = { text: name, port };
        this.#channel = this.#transport.connect({ host: name, port, tls }, this.#events());
        return AGAIN;
    }
  }

  /** How a connect that was started ended: AGAIN while it has not. */
  connectResult() {
    if (this.#phase === "connecting") return AGAIN;
    if (this.#error) return -this.takeError();
    return this.#phase === "connected" ? 0 : -Errno.NOTCONN;
  }

  #reset() {
    this.#incoming.clear();
    this.#waiting = [];
    this.#ended = this.#closed = this.#readShut = this.#writeShut = false;
    this.#error = 0;
  }

  #events() {
    return {
      opened: ({ local, remote } = {}) => {
        this.#phase = "connected";
        this.#local = local;
        if (remote) this.#remote = remote;
        this.#table.changed();
      },
      data: (bytes) => this.#received(bytes),
      ended: () => {
        this.#ended = true;
        this.#table.changed();
      },
      writable: () => this.#table.changed(),
      closed: (code) => this.#wasClosed(code),
    };
  }

  #received(bytes) {
    if (this.#readShut) {
      this.#channel?.consumed(bytes.length);
      return;
    }
    this.#incoming.push(bytes);
    this.#table.changed();
  }

  #wasClosed(code) {
    const wasConnected = this.#phase === "connected";
    this.#closed = this.#ended = true;
    this.#error = errnoOf(code, wasConnected);
    // A connection that never was, but ended without a reason, was still refused to this guest.
    if (this.#phase === "connecting" || this.#phase === "binding") {
      this.#error ||= Errno.CONNREFUSED;
      this.#phase = "idle";
    }
    this.#table.changed();
  }

  // Binding, listening, accepting

  /** The wire binds and listens in one, so port 0 waits until someone needs the port: a client that binds before it connects needs none. */
  bind(bytes, port) {
    if (this.#phase !== "idle") return -Errno.INVAL;
    this.#bindTo = { host: formatAddress(bytes), port };
    if (port === 0) {
      this.#phase = "bound";
      return 0;
    }
    return this.#startBinding();
  }

  #startBinding() {
    this.#phase = "binding";
    this.#channel = this.#transport.bind({ ...this.#bindTo, backlog: this.#backlog }, {
      opened: ({ local }) => {
        this.#phase = "bound";
        this.#local = local;
        this.#table.changed();
      },
      accepted: (channel, { local, remote } = {}) => this.#accepted(channel, local, remote),
      closed: (code) => this.#wasClosed(code),
    });
    return AGAIN;
  }

  bindResult() {
    if (this.#phase === "binding") return AGAIN;
    return this.#error ? -this.takeError() : 0;
  }

  listen(backlog) {
    if (this.#phase === "idle") this.bind(new Uint8Array(this.family === Family.INET6 ? 16 : 4), 0);
    if (this.#phase === "connected" || this.#phase === "connecting") return -Errno.INVAL;
    this.#backlog = Math.min(Math.max(backlog | 0, 1), maxBacklog);
    return this.ensureBound();
  }

  /** Binds now where port 0 put it off. */
  ensureBound() {
    if (this.#phase === "bound" && !this.#channel) return this.#startBinding();
    return this.#phase === "binding" ? AGAIN : 0;
  }

  listenResult() {
    const result = this.bindResult();
    if (result === 0) this.#phase = "listening";
    return result;
  }

  #accepted(channel, local, remote) {
    if (this.#waiting.length >= this.#backlog) {
      channel.handler = {};
      channel.reset();
      return;
    }
    const socket = new TcpSocket(this.#table, this.#transport, this.family);
    socket.#channel = channel;
    socket.#phase = "connected";
    socket.#local = local ?? this.#local;
    socket.#remote = remote;
    channel.handler = socket.#events();
    this.#waiting.push(socket);
    this.#table.changed();
  }

  /** The next accepted socket, or AGAIN, or a negated errno. */
  accept() {
    if (this.#waiting.length > 0) return this.#waiting.shift();
    if (this.#error) return -this.takeError();
    if (this.#phase !== "listening" || this.#closed) return -Errno.INVAL;
    return AGAIN;
  }

  // Bytes

  /** Reads into `views`; 0 is the end. */
  receive(views, { peek = false, waitAll = false } = {}) {
    if (this.#phase === "connecting") return AGAIN;
    if (this.isListener) return -Errno.NOTCONN;
    const wanted = views.reduce((sum, view) => sum + view.length, 0);
    if (this.#incoming.length > 0 && !this.#readShut) {
      if (waitAll && this.#incoming.length < wanted && !this.#ended && !this.#closed && this.#incoming.length < maxWaitAll) return AGAIN;
      const count = this.#incoming.read(views, peek);
      if (!peek && !this.#closed) this.#channel.consumed(count);
      return count;
    }
    if (this.#error) return -this.takeError();
    if (this.#phase === "idle") return -Errno.NOTCONN;
    if (this.#ended || this.#closed || this.#readShut || wanted === 0) return 0;
    return AGAIN;
  }

  /** Sends what the peer's credit allows, from the start of `bytes`; returns how much that was. */
  send(bytes) {
    if (this.#phase === "connecting") return AGAIN;
    if (this.#phase !== "connected") return this.#error ? -this.takeError() : -Errno.NOTCONN;
    if (this.#error) return -this.takeError();
    if (this.#writeShut || this.#closed) return -Errno.PIPE;
    if (bytes.length === 0) return 0;
    const count = this.#channel.send(bytes);
    return count > 0 ? count : AGAIN;
  }

  /** `how`: 1 reading, 2 writing, 3 both. */
  shutdown(how) {
    if (this.#phase !== "connected") return -Errno.NOTCONN;
    if (how < 1 || how > 3) return -Errno.INVAL;
    if (how & 1) {
      this.#readShut = true;
      const dropped = this.#incoming.clear();
      if (dropped > 0 && !this.#closed) this.#channel.consumed(dropped);
    }
    if (how & 2 && !this.#writeShut) {
      this.#writeShut = true;
      if (!this.#closed) this.#channel.shutdown();
    }
    return 0;
  }

  close() {
    if (!this.#closed && this.#channel) {
      if (this.resetsOnClose) this.#channel.reset();
      else this.#channel.close();
    }
    for (const socket of this.#waiting) socket.close();
    this.#channel = null;
    this.#closed = true;
    this.#phase = "idle";
    this.#incoming.clear();
  }

  // What poll and the getters ask

  /** Whether the next send reports an error. */
  get hasFailed() { return this.#error !== 0 || this.#closed; }

  takeError() {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** { ready, bytes, hangup } for reading. */
  readable() {
    const bytes = this.#phase === "listening" ? this.#waiting.length : this.#incoming.length;
    const over = this.#error !== 0 || ((this.#ended || this.#readShut) && this.#phase !== "connecting");
    return { ready: bytes > 0 || over, bytes, hangup: this.#closed };
  }

  /** { ready, bytes, hangup } for writing: true as well when a write would fail at once. */
  writable() {
    const dead = this.#error !== 0 || this.#closed || (this.#phase === "connected" && this.#writeShut);
    const credit = this.#phase === "connected" && !this.#closed ? this.#channel.credit : 0;
    return { ready: dead || credit > 0, bytes: credit, hangup: this.#closed };
  }

  localAddress() { return endpoint(this.#local ?? this.#bindTo, this.family); }
  peerAddress() { return this.#phase === "connected" ? endpoint(this.#remote, this.family) : null; }
}

// `value` is the wire's text "ip:port", or { text, port } / { host, port } of our own making.
function endpoint(value, family) {
  if (!value) return parseEndpoint("", family);
  if (typeof value === "string") return parseEndpoint(value, family);
  const host = value.text ?? value.host;
  return parseEndpoint(`${host.includes(":") ? `[${host}]` : host}:${value.port}`, family);
}

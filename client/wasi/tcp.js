// A stream socket as a guest sees it: idle, then connecting, connected or listening, then ended. No function blocks; an
// operation that would have to wait returns AGAIN and is called again after the table's next change.

import { Errno, errnoOf } from "./errno.js";
import { Family, formatAddress, parseEndpoint } from "./address.js";
import { ByteQueue } from "./queue.js";
import { AGAIN } from "./table.js";

/** Connections that wait to be accepted before further ones are reset. */
const maxBacklog = 128;

export class TcpSocket {
  type = "stream";
  nonblocking = false;
  receiveTimeout = 0; // ms, 0: none
  sendTimeout = 0; // ms, 0: none
  /** SO_LINGER with zero time: close drops unsent data. */
  resetsOnClose = false;
  options = new Map();

  #table;
  #transport;
  #channel = null;
  // idle; binding and bound if the node has the port but does not listen yet; listening; connecting; connected, also when it has
  // ended; failed: the connect that did not wait has failed and connect was not called since; stuck: it was then shut down.
  #phase = "idle";
  #incoming = new ByteQueue();
  #ended = false; // the peer has no more to send
  #closed = false; // the protocol's socket has ended
  #readShut = false;
  #writeShut = false;
  #discards = false;
  #error = 0; // errno that was not reported yet
  #bindError = 0; // the same, for listen
  #local = null;
  #remote = null;
  #backlog = maxBacklog;
  #waiting = []; // accepted, not yet passed to the guest
  #bindTo = null;
  #inherited = null; // the host that its listener was bound to, if it was accepted

  constructor(table, transport, family) {
    this.#table = table;
    this.#transport = transport;
    this.family = family;
  }

  get isListener() { return this.#phase === "listening"; }
  get phase() { return this.#phase; }
  get queued() { return this.#incoming.length; }
  /** TCP's state CLOSED: never connected, or no longer. */
  get #isDown() { return this.#phase === "connected" ? this.#closed : !this.isListener && this.#phase !== "connecting"; }

  // Connecting

  /** Starts or continues a connect. `name` is a name or an IP literal. A bound port is released: the node chooses the source port. */
  connect(name, port, { tls = false } = {}) {
    switch (this.#phase) {
      case "connected":
      case "listening":
        return -Errno.ISCONN;
      case "connecting":
        return AGAIN;
      case "stuck":
        return -Errno.INVAL;
      case "failed": {
        const error = this.takeError();
        this.#fallBack();
        return -(error || Errno.CONNABORTED);
      }
      default:
        this.#dropChannel();
        this.#error = 0;
        this.#phase = "connecting";
        this.#remote = { text: name, port };
        // As on Linux, where nobody can listen on it.
        if (port === 0) {
          this.#wasClosed("refused");
          return AGAIN;
        }
        this.#channel = this.#transport.connect({ host: name, port, tls }, this.#events());
        return AGAIN;
    }
  }

  /** The result of a connect that was started: AGAIN while it is in progress. */
  connectResult() {
    if (this.#phase === "connecting") return AGAIN;
    if (this.#phase === "connected" && !this.#error) return 0;
    const error = this.takeError();
    if (this.#phase === "failed") this.#fallBack();
    return -(error || Errno.NOTCONN);
  }

  /** connect() with AF_UNSPEC: the socket is like new, except that a connection that had not ended counts as reset. */
  disconnect() {
    if (this.#phase === "connecting" || (this.#phase === "connected" && !this.#closed)) this.#error ||= Errno.CONNRESET;
    this.#dropChannel();
    this.#fallBack();
    return 0;
  }

  #dropChannel() {
    if (this.#channel && !this.#closed) {
      this.#channel.handler = {};
      this.#channel.reset();
    }
    for (const socket of this.#waiting) socket.close();
    this.#waiting = [];
    this.#channel = null;
    this.#ended = this.#closed = false;
  }

  // For a socket that was never connected.
  #fallBack() {
    this.#channel = null;
    this.#phase = "idle";
    this.#incoming.clear();
    this.#ended = this.#closed = this.#readShut = this.#writeShut = false;
    this.#local = this.#remote = null;
    this.#table.changed();
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

  // Data that arrives after the reading side was shut down can still be read, as on Linux; the peer stops when the window is full.
  #received(bytes) {
    if (this.#discards) return this.#channel.consumed(bytes.length);
    this.#incoming.push(bytes);
    this.#table.changed();
  }

  #wasClosed(code) {
    const error = errnoOf(code, this.#phase === "connected");
    this.#bindTo = null;
    if (this.#phase === "binding") {
      this.#bindError = error || Errno.CONNREFUSED;
      this.#channel = null;
      this.#phase = "idle";
    } else {
      this.#closed = this.#ended = true;
      this.#error = error;
      // A connection that was never established, but ended without a reason, was still refused to this guest.
      if (this.#phase === "connecting") {
        this.#error ||= Errno.CONNREFUSED;
        this.#phase = "failed";
      }
    }
    this.#table.changed();
  }

  // Binding, listening, accepting

  /** Stores the address. The protocol binds and listens in one step, for which a client that binds before it connects needs no right. */
  bind(bytes, port) {
    const mayBind = ["idle", "failed", "stuck"].includes(this.#phase) || (this.#phase === "connected" && this.#closed);
    if (this.#bindTo || !mayBind) return -Errno.INVAL;
    this.#bindTo = { host: formatAddress(bytes), port };
    return 0;
  }

  #startBinding() {
    this.#phase = "binding";
    const any = this.family === Family.INET6 ? "::" : "0.0.0.0";
    this.#channel = this.#transport.bind({ ...(this.#bindTo ?? { host: this.#inherited ?? any, port: 0 }), backlog: this.#backlog }, {
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
    const error = this.#bindError;
    this.#bindError = 0;
    return error ? -error : 0;
  }

  listen(backlog) {
    this.#backlog = Math.min(Math.max(backlog | 0, 1), maxBacklog);
    switch (this.#phase) {
      case "idle": return this.#startBinding();
      case "binding": return AGAIN;
      case "bound":
      case "listening": return 0;
      default: return -Errno.INVAL;
    }
  }

  /** Binds now if the guest asks for the port that the node chooses; `always` also if the port is known. */
  ensureBound(always = false) {
    if (this.#phase === "idle" && this.#bindTo && (always || this.#bindTo.port === 0)) return this.#startBinding();
    return this.#phase === "binding" ? AGAIN : 0;
  }

  listenResult() {
    const result = this.bindResult();
    if (result === 0 && this.#phase === "bound") {
      this.#phase = "listening";
      this.#readShut = this.#writeShut = false;
    }
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
    socket.#inherited = this.#bindTo?.host ?? null;
    channel.handler = socket.#events();
    this.#waiting.push(socket);
    this.#table.changed();
  }

  /** The next accepted socket, or AGAIN, or a negated errno. */
  accept() {
    if (this.#phase !== "listening") return -Errno.INVAL;
    if (this.#waiting.length > 0) return this.#waiting.shift();
    if (!this.#closed) return AGAIN;
    return -(this.takeError() || Errno.INVAL);
  }

  // Bytes

  /** Reads into `views`; 0 is the end. */
  receive(views, { peek = false } = {}) {
    if (this.#phase === "connecting") return AGAIN;
    if (this.isListener) return -Errno.NOTCONN;
    if (this.#incoming.length > 0) {
      const count = this.#incoming.read(views, peek);
      if (!peek && !this.#closed) this.#channel.consumed(count);
      return count;
    }
    if (this.#error) return -this.takeError();
    if (this.#ended || this.#readShut) return 0;
    if (this.#phase !== "connected") return -Errno.NOTCONN;
    return AGAIN;
  }

  /** Whether the next read reports an error instead of bytes. */
  get readFails() { return this.#incoming.length === 0 && this.#error !== 0; }

  /** Sends as much as the peer's credit allows, from the start of `bytes`; returns the number of bytes. */
  send(bytes) {
    if (this.#phase === "connecting") return AGAIN;
    if (this.#error) return -this.takeError();
    if (this.#phase !== "connected" || this.#writeShut || this.#closed) return -Errno.PIPE;
    if (bytes.length === 0) return 0;
    const count = this.#channel.send(bytes);
    return count > 0 ? count : AGAIN;
  }

  /** `how`: 1 reading, 2 writing, 3 both. */
  shutdown(how) {
    if (how < 1 || how > 3) return -Errno.INVAL;
    switch (this.#phase) {
      case "listening":
        if (how & 1) this.disconnect();
        return 0;
      case "connecting":
        return this.disconnect();
      case "connected":
        if (how & 2 && !this.#writeShut && !this.#closed) this.#channel.shutdown();
        break;
      case "failed":
        this.#phase = "stuck";
    }
    this.#readShut ||= (how & 1) !== 0;
    this.#writeShut ||= (how & 2) !== 0;
    return this.#isDown ? -Errno.NOTCONN : 0;
  }

  /** Discards unread and later data, so that the peer does not stop. */
  discard() {
    this.#discards = true;
    const dropped = this.#incoming.clear();
    if (dropped > 0 && !this.#closed) this.#channel.consumed(dropped);
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

  // For poll and the getters

  /** Whether the next send reports an error. */
  get hasFailed() { return this.#error !== 0 || this.#closed; }

  takeError() {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** { ready, bytes, hangup, and poll.js's flags } for reading. */
  readable() {
    if (this.isListener) return { ready: this.#waiting.length > 0 || this.#closed, bytes: this.#waiting.length, hangup: this.#closed };
    const bytes = this.#incoming.length;
    const isReadable = bytes > 0 || ((this.#ended || this.#readShut) && this.#phase !== "connecting");
    return { ready: isReadable || this.#error !== 0, only: !isReadable, bytes, hasEnded: this.#ended || this.#readShut, ...this.#flags() };
  }

  /** The same for writing: also ready if a write would fail at once. */
  writable() {
    if (this.isListener || this.#phase === "connecting") return { ready: false, bytes: 0, hangup: false };
    const credit = this.#phase === "connected" && !this.#closed ? this.#channel.credit : 0;
    return { ready: this.#error !== 0 || this.#isDown || this.#writeShut || credit > 0, bytes: credit, ...this.#flags() };
  }

  #flags() {
    const isShut = (this.#readShut || this.#ended) && this.#writeShut && this.#phase === "connected";
    return { hangup: this.#closed && this.#phase === "connected", failed: this.#error !== 0, over: this.#isDown || isShut };
  }

  localAddress() { return endpoint(this.#local ?? this.#bindTo, this.family); }
  peerAddress() { return this.#phase === "connected" && !this.#closed ? endpoint(this.#remote, this.family) : null; }
}

// `value` is the protocol's text "ip:port", or { text, port } / { host, port } from this code.
function endpoint(value, family) {
  if (!value) return parseEndpoint("", family);
  if (typeof value === "string") return parseEndpoint(value, family);
  const host = value.text ?? value.host;
  return parseEndpoint(`${host.includes(":") ? `[${host}]` : host}:${value.port}`, family);
}

// One socket as the wire has it: events in, bytes out, credit both ways. Everything else is built on this.

import { toBytes } from "./bytes.js";
import { check, hostOf, optionsOf, portOf } from "./check.js";
import { ChunkQueue } from "./chunks.js";
import { WasmnetError, call } from "./errors.js";
import { checkState, violation } from "./events.js";
import { ReceiveWindow } from "./flow.js";
import { refusal } from "./link.js";
import { Mailbox } from "./mailbox.js";

/** How long a close may make no progress before the socket is reset, in ms: bytes that wait go out, then the node answers, after some seconds maybe. */
const CLOSE_MS = 15000;
/** Connections that wait for `onaccept`, and bytes that they may hold; more connections are reset. */
const MOST_ACCEPTED = 256;
const MOST_ACCEPTED_BYTES = 64 << 20;
/** Sockets of one connection to a node, where it does not say that it has fewer: above it none is accepted. */
const MOST_SOCKETS = 65536;
/** The largest datagram that there is over IPv4, in bytes. */
const MOST_DATAGRAM = 65507;
const LISTENERS = ["onopen", "ondata", "ondatagram", "onaccept", "onend", "onclosed", "onsendable", "onerror"];

export class Socket extends Mailbox {
  /** "opening", "open" or "closed". */
  state = "opening";
  /** "ip:port" or "[ip6]:port"; null where the node does not say. */
  local = null;
  remote = null;
  alpn = null;
  /** The port that a listener or UDP socket is bound to. */
  localPort = 0;
  bytesUp = 0;
  bytesDown = 0;
  /** Why the socket ended, as a WasmnetError (`normal` and `client_closed` too); null while it lives. */
  ending = null;

  onopen = null;
  onsendable = null;
  onerror = null;

  #link = null;
  #credit = 0;
  #turn = 0;
  #window = null;
  #queue = new ChunkQueue();
  #hasEnded = false;
  #isStarved = true;
  #isFinishing = false;
  #isClosing = false;
  #hasToldClose = false;
  #hasToldShutdown = false;
  /** Of the opening, then of the close. */
  #timer = null;

  /** Made by `client.socket()`. */
  constructor(owner, id, kind, host, port) {
    super();
    this.owner = owner;
    this.id = id;
    /** "tcp", "tls", "udp", "listener", "udp-listener" or "accepted". */
    this.kind = kind;
    this.host = host;
    this.port = port;
  }

  get isDatagram() { return this.kind === "udp" || this.kind === "udp-listener"; }
  get isStream() { return !this.isDatagram && this.kind !== "listener"; }

  /** Whether nothing more can be sent: it was shut down, is being closed, or has ended. */
  get isShut() { return this.#isFinishing || this.ending !== null; }

  // Sending.

  /** Bytes that `send` hands to the WebSocket at once. When it was 0, `onsendable` tells that it no longer is. */
  get sendable() {
    if (this.isShut || this.#queue.size > 0) return 0;
    const allowance = this.#allowance();
    if (allowance === 0) this.#noteStarvation();
    return allowance;
  }

  /** Bytes that wait in this socket for credit or for room. */
  get queued() { return this.#queue.size; }

  /** TCP and TLS: bytes beyond `sendable` are copied and sent when they may. UDP: one datagram, or nothing where there is no room. */
  send(data) {
    const bytes = toBytes(data);
    if (this.ending) throw this.ending;
    if (this.#isFinishing) throw new WasmnetError("client_closed", "the socket's sending side is closed");
    if (this.isDatagram) {
      this.#datagram(bytes, (codec) => codec.send(this.id, bytes));
      return;
    }
    const sent = this.#queue.size ? 0 : this.#transmit(bytes);
    if (sent < bytes.length) this.#queue.push(bytes.slice(sent));
    this.#noteStarvation();
  }

  sendTo(host, port, data) {
    hostOf(host);
    portOf(port);
    const bytes = toBytes(data);
    if (this.ending) throw this.ending;
    this.#datagram(bytes, (codec) => codec.sendTo(this.id, host, port, bytes));
  }

  /** The program has read so many bytes of what `ondata` was given: the node may send as many more. */
  consumed(count) {
    check("count", count, [0, 2 ** 53 - 1]);
    if (!this.#window || this.ending || this.#isClosing) return;
    const grant = this.#window.consumed(count, this.#link, performance.now());
    if (grant > 0) this.#link.send(this.#link.codec.window(this.id, grant));
  }

  /** Asks the node for the listener's port once more; connections are accepted from `bind` on. */
  listen(backlog = 128) {
    check("backlog", backlog, [0, 65535]);
    if (this.#link && !this.ending) this.#link.send(this.#link.codec.listen(this.id, backlog));
  }

  // Ending.

  /** No more to send: half-close to the target, after what was sent. Over v1 nothing is told; only `close` is there. */
  shutdown() {
    if (this.isShut) return;
    this.#isFinishing = true;
    this.#settle();
  }

  /** Wants no more of the socket; bytes sent before still go out. */
  close() {
    if (this.#isClosing || this.ending) return;
    if (!this.#link) {
      this._end(new WasmnetError("client_closed", "closed before it was opened"));
      return;
    }
    this.#isClosing = this.#isFinishing = true;
    this.dropMail();
    this.#settle();
    this.#linger();
  }

  /** Drops the socket at once, unsent bytes too. */
  reset() { this.#drop(new WasmnetError("client_closed", "reset by the client")); }

  #drop(error) {
    if (this.ending) return;
    if (this.#link) {
      const { codec } = this.#link;
      this.#link.send(codec.version === 2 && this.isStream ? codec.reset(this.id) : codec.close(this.id));
    }
    this.dropMail();
    this._end(error);
  }

  /** Takes all of `listeners`, `{onopen, ondata, ...}`, before anything can happen. */
  _listen(listeners) {
    for (const [name, listener] of Object.entries(optionsOf(listeners, "listeners"))) {
      check("a listener", name, LISTENERS);
      this[name] = check(name, listener, "function") ?? null;
    }
  }

  // The link's side.

  /** From now on the socket has so long to be open, in ms: for the connection to the node and for the node's answer. */
  _limitOpening(ms) {
    this.#timer = setTimeout(() => this.#drop(this.owner._late(`${this.host} port ${this.port} was not open`, ms)), ms);
  }

  /** The socket is on this WebSocket from now on. Accepted ones are open already. */
  _attach(link) {
    if (this.ending) return;
    this.#link = link;
    link.attach(this);
    const hasCredit = link.version === 2 && this.isStream;
    this.#credit = hasCredit ? link.terms.window : Infinity;
    this.#window = hasCredit ? new ReceiveWindow(link.terms.window) : null;
    if (this.kind === "accepted") {
      this.state = "open";
    } else {
      link.send(link.codec.open(this.kind, this.id, this.host, this.port));
    }
    this._mayPump();
  }

  _event(event) {
    checkState(event.ev, this.kind, this.#hasEnded ? "ended" : this.state);
    switch (event.ev) {
      case "data": return this.#data(event.data);
      case "window":
        this.#credit += event.bytes;
        if (this.#credit >= 2 ** 31) throw violation(`credit of ${this.#credit} bytes`);
        return this._mayPump();
      case "data_from":
        this.bytesDown += event.data.length;
        return this.mailDatagram(event.data, event.addr, event.port);
      case "connected":
        for (const field of ["local", "remote", "alpn"]) this[field] = event[field] ?? null;
        return this.#opened();
      case "listening": case "udp_bound":
        this.localPort = event.port;
        return this.#opened();
      case "accepted": return this.#accepted(event);
      case "end":
        this.#hasEnded = true;
        return this.#isClosing ? undefined : this.mailEnd();
      case "closed":
        return this._end(new WasmnetError(event.code ?? (this.#isClosing ? "client_closed" : "normal"), event.message));
      case "error": case "denied":
        // About one datagram, or one request: the socket lives on.
        if (this.state === "open" && !this.isStream) return call(this.onerror, refusal(event), this);
        return this._end(refusal(event));
    }
  }

  /** There is credit, or room and it is this socket's turn to send so many bytes: what waits goes out, then the program may send. */
  _mayPump(turn = 0) {
    this.#turn = turn;
    while (this.#queue.size) {
      const chunk = this.#queue.shift();
      const sent = this.#transmit(chunk);
      if (sent < chunk.length) {
        this.#queue.unshift(chunk.subarray(sent));
        break;
      }
    }
    this.#settle();
    if (this.#isStarved && this.sendable > 0) {
      this.#isStarved = false;
      call(this.onsendable, this);
    }
    this.#noteStarvation();
  }

  /** Holds the most of what a session without credit may leave unread. A listener holds its connections' bytes. */
  _overflow() {
    if (this.kind === "listener") this.dropMail();
    else this.#drop(new WasmnetError("too_slow", "the program does not read what the target sends"));
  }

  _end(error) {
    if (this.ending) return;
    this.ending = error;
    this.state = "closed";
    clearTimeout(this.#timer);
    this.#queue.clear();
    this.#window?.release(this.#link);
    this.#link?.forget(this);
    this.owner._socketEnded(this);
    this.mailClosed(error);
    // A program that waits to send must not wait for ever.
    call(this.onsendable, this);
  }

  // Inside.

  #allowance() {
    const link = this.#link;
    if (!link) return 0;
    return Math.max(0, Math.min(this.#credit, link.room, link.isContended ? this.#turn : Infinity));
  }

  #transmit(bytes) {
    let sent = 0;
    while (sent < bytes.length) {
      const count = Math.min(bytes.length - sent, this.#allowance(), this.#link?.piece ?? 0);
      if (count <= 0) break;
      this.#link.send(this.#link.codec.send(this.id, bytes.subarray(sent, sent + count)));
      this.#credit -= count;
      this.#turn -= count;
      sent += count;
    }
    this.bytesUp += sent;
    return sent;
  }

  #datagram(bytes, encode) {
    const message = this.#link?.room > 0 && encode(this.#link.codec);
    this.dropped++;
    if (bytes.length > MOST_DATAGRAM || message.length > this.#link.mostMessage) {
      throw new WasmnetError("message_too_large", `a datagram of ${bytes.length} bytes cannot be sent`);
    }
    if (!message) return;
    this.dropped--;
    this.#link.send(message);
    this.bytesUp += bytes.length;
  }

  /** Whoever cannot send is told when it can: by the node's grant, or by the link when the WebSocket is what is full. */
  #noteStarvation() {
    if (this.ending || !this.#link) return;
    if (this.#queue.size || this.#allowance() === 0) {
      this.#isStarved = true;
      if (this.#credit > 0) this.#link.awaitRoom(this);
    }
  }

  /** Says that there is no more to send, once all of it has gone. */
  #settle() {
    if (!this.#isFinishing || this.#queue.size || !this.#link || this.#hasToldClose || this.ending) return;
    const { codec } = this.#link;
    if (this.#isClosing) {
      this.#hasToldClose = true;
      this.#link.send(codec.close(this.id));
    } else if (codec.version === 2 && !this.#hasToldShutdown) {
      this.#hasToldShutdown = true;
      this.#link.send(codec.shutdown(this.id));
    }
  }

  #linger() {
    clearTimeout(this.#timer);
    const before = this.#queue.size;
    this.#timer = setTimeout(() => {
      if (this.#queue.size < before) this.#linger();
      else this.#drop(new WasmnetError("too_slow", "the socket could not be closed in time"));
    }, CLOSE_MS);
  }

  #opened() {
    if (this.state !== "opening") return;
    this.state = "open";
    if (!this.#isClosing) clearTimeout(this.#timer);
    this.owner._socketOpened(this);
    if (!this.#isClosing) call(this.onopen, this);
  }

  #data(data) {
    if (this.#window && !this.#window.received(data.length)) throw violation("data beyond the credit of its socket");
    this.bytesDown += data.length;
    if (!this.#isClosing && data.length > 0) this.mailData(data);
    if (!this.#window) this.#link.received(data.length);
  }

  #accepted({ connId, remote }) {
    const socket = new Socket(this.owner, connId, "accepted", null, 0);
    socket.remote = remote;
    socket.listener = this;
    socket._attach(this.#link);
    const { sockets, terms } = this.#link;
    const { window = 1, max_sockets: most = MOST_SOCKETS } = terms ?? {};
    const mostWaiting = Math.min(MOST_ACCEPTED, MOST_ACCEPTED_BYTES / window);
    if (this.#isClosing || this.waitingAccepts >= mostWaiting || sockets.size > Math.min(most, MOST_SOCKETS)) {
      socket.reset();
      return;
    }
    this.owner._socketOpened(socket);
    this.mailAccept(socket);
  }
}

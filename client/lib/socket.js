// One socket of the protocol: events in, bytes out, credit both ways. Everything else is built on this.

import { toBytes } from "./bytes.js";
import { check, hostOf, optionsOf, portOf } from "./check.js";
import { ChunkQueue } from "./chunks.js";
import { WasmnetError, call } from "./errors.js";
import { checkState, violation } from "./events.js";
import { ReceiveWindow } from "./flow.js";
import { refusal } from "./link.js";
import { MAIL, Mailbox } from "./mailbox.js";

/** How long a close may make no progress before the socket is reset, in ms: waiting bytes are sent, then the node answers. */
const CLOSE_MS = 15000;
/** Connections that wait for `onaccept`, and the bytes that they may hold; more connections are reset. */
const MOST_ACCEPTED = 256;
const MOST_ACCEPTED_BYTES = 64 << 20;
/** Sockets of one connection to a node, unless the node allows fewer: above it none is accepted. */
const MOST_SOCKETS = 65536;
/** The largest datagram over IPv4, in bytes. */
const MOST_DATAGRAM = 65507;
const LISTENERS = ["onopen", ...MAIL, "onsendable", "onerror"];

export class Socket extends Mailbox {
  /** "opening", "open" or "closed". */
  state = "opening";
  /** "ip:port" or "[ip6]:port"; null if the node does not send it. */
  local = null;
  remote = null;
  alpn = null;
  /** The port to which a listener or UDP socket is bound. */
  localPort = 0;
  bytesUp = 0;
  bytesDown = 0;
  /** Why the socket ended, as a WasmnetError (`normal` and `client_closed` too); null while it is open. */
  ending = null;

  onopen = null;
  onsendable = null;
  onerror = null;

  #queue = new ChunkQueue();
  #link = null;
  #isStarved = true;
  #credit = 0;
  /** For the opening, then for the close. */
  #timer;
  #isFinishing = false;
  #isClosing;
  #hasEnded;
  /** The last message to the node about the end: "shutdown" or "close". */
  #told;
  #window = null;
  #turn = 0;

  /** Created by `client.socket()`. */
  constructor(owner, id, kind, host, port) {
    super();
    /** The client, which the WASI bridge also uses. */
    this.owner = owner;
    this.id = id;
    /** "tcp", "tls", "udp", "listener", "udp-listener" or "accepted". */
    this.kind = kind;
    this.host = host;
    this.port = port;
  }

  get isDatagram() { return /udp/.test(this.kind); }
  get isStream() { return !/udp|listener/.test(this.kind); }

  /** Whether no more can be sent: it was shut down, is being closed, or has ended. */
  get isShut() { return this.#isFinishing || !!this.ending; }

  // Sending.

  /** Bytes that `send` passes to the WebSocket at once. If it was 0, `onsendable` reports when it no longer is. */
  get sendable() {
    if (this.isShut || this.#queue.size > 0) return 0;
    const allowance = this.#allowance();
    if (!allowance) this.#noteStarvation();
    return allowance;
  }

  /** Bytes that the program has not read, if the node controls their number: without credit, and of connections that it opens freely. */
  get _unread() { return this.listener || !this.#window ? this.held : 0; }

  /** Bytes that wait in this socket for credit or for room. */
  get queued() { return this.#queue.size; }

  /** TCP and TLS: bytes beyond `sendable` are copied and sent later. UDP: one datagram, or none if there is no room. */
  send(data) {
    check("the kind", this.kind, ["accepted", "tcp", "tls", "udp"]);
    const bytes = toBytes(data);
    if (this.ending) throw this.ending;
    if (this.#isFinishing) throw new WasmnetError("client_closed", "the socket was shut down");
    if (this.isDatagram) return this.#datagram(bytes, "send");
    const sent = this.#queue.size ? 0 : this.#transmit(bytes);
    if (sent < bytes.length) this.#queue.push(bytes.slice(sent));
    this.#noteStarvation();
  }

  sendTo(host, port, data) {
    check("the kind", this.kind, ["udp", "udp-listener"]);
    hostOf(host);
    portOf(port);
    const bytes = toBytes(data);
    if (this.ending) throw this.ending;
    this.#datagram(bytes, "sendTo", host, port);
  }

  /** The program has read this many bytes of those passed to `ondata`: the node may send as many more. */
  consumed(count) {
    check("count", count, [0, 2 ** 53 - 1]);
    if (!this.#window || this.ending || this.#isClosing) return;
    const grant = this.#window.consumed(count, this.#link, performance.now());
    if (grant > 0) this.#link._say("window", this.id, grant);
  }

  /** Asks the node again for the listener's port; connections are accepted from `bind` on. */
  listen(backlog = 128) {
    check("the kind", this.kind, ["listener"]);
    check("backlog", backlog, [0, 65535]);
    if (!this.ending) this.#link?._say("listen", this.id, backlog);
  }

  // Ending.

  /** No more to send: half-close to the target, after the sent data. Over v1 nothing is sent; v1 has only `close`. */
  shutdown() {
    if (this.isShut) return;
    this.#isFinishing = true;
    this.#settle();
  }

  /** Ends the socket; bytes sent before are still delivered. */
  close() {
    if (this.#isClosing || this.ending) return;
    if (!this.#link) return this.reset();
    this.#isClosing = this.#isFinishing = true;
    this._dropMail();
    this.#settle();
    this.#linger();
  }

  /** Drops the socket at once, including unsent bytes. */
  reset() {
    if (!this.ending) this._dropMail();
    this.#drop(new WasmnetError("client_closed", "reset by the client"));
  }

  #drop(error) {
    if (this.ending) return;
    this.#link?._say(this.#window ? "reset" : "close", this.id);
    this._end(error);
  }

  /**
   * Sets all `listeners`, `{onopen, ondata, ...}`, before any event. From now on the socket has this many ms to open: for the
   * connection to the node and for the node's answer.
   */
  _begin(listeners, ms) {
    for (const [name, listener] of Object.entries(optionsOf(listeners, "listeners"))) {
      check("a listener", name, LISTENERS);
      this[name] = check(name, listener, "function") ?? null;
    }
    this.#timer = setTimeout(() => this.#drop(this.owner._late(`${this.host} port ${this.port} was not open`, ms)), ms);
  }

  // The link's side.

  /** The socket uses this WebSocket from now on. Accepted sockets are already open. */
  _attach(link) {
    if (this.ending) return;
    this.#link = link;
    link._attach(this);
    this.#credit = Infinity;
    if (link.version === 2 && this.isStream) this.#window = new ReceiveWindow(this.#credit = link._terms.window);
    if (this.kind === "accepted") {
      this.state = "open";
    } else {
      link._say("open", this.kind, this.id, this.host, this.port);
    }
    this._mayPump();
  }

  _event(event) {
    checkState(event.ev, this, this.#hasEnded ? "ended" : this.state);
    switch (event.ev) {
      case "data": {
        const { length } = event.data;
        if (this.#window && !this.#window._received(length)) throw violation("data beyond its credit");
        this.bytesDown += length;
        if (!this.#isClosing && length > 0) this._mailData(event.data);
        return this.#link._received(this._unread && length);
      }
      case "window":
        this.#credit += event.bytes;
        if (this.#credit >= 2 ** 31) throw violation(`credit of ${this.#credit} bytes`);
        return this._mayPump();
      case "data_from":
        this.bytesDown += event.data.length;
        return this._mailDatagram(event.data, event.addr, event.port);
      case "connected":
        this.local = event.local ?? null;
        this.remote = event.remote ?? null;
        this.alpn = event.alpn ?? null;
        return this.#opened();
      case "listening": case "udp_bound":
        this.localPort = event.port;
        return this.#opened();
      case "accepted": return this.#accepted(event);
      case "end":
        this.#hasEnded = true;
        if (!this.#isClosing) this._mailEnd("onend");
        return;
      case "closed":
        return this._end(new WasmnetError(event.code ?? (this.#isClosing ? "client_closed" : "normal"), event.message));
      case "error": case "denied":
        if (this.state === "opening") return this._end(refusal(event));
        // The node may still have its side.
        if (this.isStream) return this.#drop(refusal(event));
        // About one datagram, or one request: the socket stays open.
        if (this.isDatagram) this.dropped++;
        return call(this.onerror, refusal(event), this);
    }
  }

  /** There is credit, or room and it is this socket's turn to send this many bytes: waiting data is sent, then the program may send. */
  _mayPump(turn = 0) {
    this.#turn = turn;
    while (this.#queue.size) {
      const chunk = this.#queue.shift();
      const sent = this.#transmit(chunk);
      if (sent < chunk.length) {
        this.#queue.unshift(chunk.subarray(sent));
        break;
      }
      // The copy's memory is released at once: a page makes copies faster than it collects them.
      chunk.buffer.transfer?.(0);
    }
    this.#settle();
    if (this.#isStarved && this.sendable) {
      this.#isStarved = false;
      call(this.onsendable, this);
    }
    this.#noteStarvation();
  }

  /** Holds the most of the bytes that may be left unread in total. A listener holds its connections' bytes. */
  _overflow() {
    this._dropMail();
    if (this.isStream) this.#drop(new WasmnetError("too_slow", "the program does not read"));
  }

  _end(error) {
    if (this.ending) return;
    this.ending = error;
    this.state = "closed";
    clearTimeout(this.#timer);
    this.#queue.clear();
    this.#window?._release(this.#link);
    this.#link?._forget(this);
    this.owner._socketEnded(this);
    // A program that waits to send must not wait forever.
    call(this.onsendable, this);
    this._mailEnd("onclosed", error);
  }

  // Internal.

  #allowance() {
    const link = this.#link;
    if (!link) return 0;
    return Math.max(0, Math.min(this.#credit, link._room, link._waiting.size ? this.#turn : Infinity));
  }

  #transmit(bytes) {
    let sent = 0;
    while (sent < bytes.length) {
      const count = Math.min(bytes.length - sent, this.#allowance(), this.#link?._piece ?? 0);
      if (count <= 0) break;
      this.#link._sendData(this.id, bytes.subarray(sent, sent + count));
      this.#credit -= count;
      this.#turn -= count;
      sent += count;
    }
    this.bytesUp += sent;
    return sent;
  }

  #datagram(bytes, request, ...to) {
    this.#link?.send();
    this.dropped++;
    const message = bytes.length <= MOST_DATAGRAM && this.#link?._room > 0 && this.#link._codec[request](this.id, ...to, bytes);
    if (bytes.length > MOST_DATAGRAM || message.length > this.#link?._terms?.max_message) {
      throw new WasmnetError("message_too_large", `a datagram of ${bytes.length} bytes`);
    }
    if (!message) return;
    this.dropped--;
    this.#link.send(message);
    this.bytesUp += bytes.length;
  }

  /** A program that cannot send is notified when it can: by the node's grant, or by the link if the WebSocket is full. */
  #noteStarvation() {
    if (this.ending || !this.#link || (!this.#queue.size && this.#allowance())) return;
    this.#isStarved = true;
    if (this.#credit > 0) this.#link._awaitRoom(this);
  }

  /** Reports that there is no more to send, once all data is sent. */
  #settle() {
    if (!this.#isFinishing || this.#queue.size || !this.#link || this.ending) return;
    const word = this.#isClosing ? "close" : this.#window && "shutdown";
    if (word && word !== this.#told) this.#link._say(this.#told = word, this.id);
  }

  #linger() {
    clearTimeout(this.#timer);
    const before = this.#queue.size;
    this.#timer = setTimeout(() => {
      if (this.#queue.size < before) this.#linger();
      else this.#drop(new WasmnetError("too_slow", "the node does not close it"));
    }, CLOSE_MS);
  }

  #opened() {
    if (this.state !== "opening") return;
    this.state = "open";
    this.owner._socketOpened(this);
    if (this.#isClosing) return;
    clearTimeout(this.#timer);
    call(this.onopen, this);
  }

  #accepted({ connId, remote }) {
    const socket = new Socket(this.owner, connId, "accepted", null, 0);
    socket.remote = remote;
    socket.listener = this;
    socket._attach(this.#link);
    const { _sockets: sockets, _terms: terms } = this.#link;
    // Of all listeners: the node assigns a connection to one.
    let waiting = 0;
    for (const { waitingAccepts } of sockets.values()) waiting += waitingAccepts;
    // v1 has no terms: no number is larger than undefined.
    if (this.#isClosing || waiting >= MOST_ACCEPTED || waiting * terms?.window >= MOST_ACCEPTED_BYTES
      || sockets.size > MOST_SOCKETS || sockets.size > terms?.max_sockets) {
      return socket.reset();
    }
    this.owner._socketOpened(socket);
    this._mailAccept(socket);
  }
}

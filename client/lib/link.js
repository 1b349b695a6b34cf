// One WebSocket to a node: the protocol version, which socket a message belongs to, how much may be sent.

import { endOf } from "./admission.js";
import { publicUrl } from "./check.js";
import { BinaryCodec, GATHERED, PIECE } from "./codec-binary.js";
import { JsonCodec } from "./codec-json.js";
import { WasmnetError, late } from "./errors.js";
import { FIRST_NODE_ID, readEvent, violation } from "./events.js";

/** Maximum unsent bytes in the WebSocket, so that one socket's upload does not delay another's keystroke. */
const HIGH_WATER = 1 << 20;
const ROOM_POLL_MS = 4;
/** Unsent bytes in the WebSocket beyond which the node is not reading: its messages must not pile up answers. */
const MOST_UNSENT = 16 << 20;
/** Unread bytes in all, times the version: over v1, which has no credit, of all sockets; over v2 of those that the node can open freely. */
const MOST_UNREAD = 64 << 20;
/** How long a node may take to answer a probe. */
const PING_MS = 5000;
/** A timer that is later than this indicates a page that was suspended, not a silent node. */
const LATE_MS = 1000;

const later = globalThis.setImmediate ?? setTimeout;

export class Link {
  /** Sockets and lookups with answers on this WebSocket, by id. */
  _sockets = new Map();
  _calls = new Map();
  _isUp = false;
  /** The node's terms (v2), as in `hello`. */
  _terms = null;
  /** The shortest measured round trip to the node in ms; undefined while unknown. */
  _rtt;
  _windowGrowth = 0;
  _error = null;
  /** 1 or 2 from the handshake on. */
  version = 0;

  #openTimer;
  #probeId = 0;
  #probeSent = 0;
  /** Sockets that wait for room; one that `_mayPump` has not yet called stays at the end of the line. */
  _waiting = new Set();
  /** A message with data of one socket, which waits for more data; and its maximum length, 0 if none waits. */
  #gathered = "";
  #gatheredId = 0;
  #mostGathered = 0;
  #unread = 0;
  #heartbeatTimer;
  #rushed = 0;
  #stoodStill = false;
  /** What Node's WebSocket reports about a failed handshake; a page's reports nothing. */
  #seen = "";
  #options;
  #protocols;
  /** When a node that does not answer a probe is given up. */
  #giveUpAt = Infinity;
  #roomTimer = null;
  /** The highest id used, of the client and of the node. */
  #highest = [0, 0];
  #heard = 0;

  /**
   * @param {{url, WebSocket, binary, openTimeoutMs}} options
   * @param {string[]} protocols the offer
   * @param {number} probeId an id without a socket
   * @param {{_up(link), _down(link, error), _goaway(link, event), _tell(type, fields)}} owner
   */
  constructor(options, protocols, probeId, owner) {
    this._owner = owner;
    this.#options = options;
    this.#protocols = protocols;
    this.#probeId = probeId;
    this.ws = new options.WebSocket(options.url, protocols);
    this.ws.binaryType = "arraybuffer";
    this.ws.addEventListener("open", () => this.#opened());
    this.ws.addEventListener("message", (event) => this.#message(event.data));
    this.ws.addEventListener("close", (event) => this.#closed(event));
    // `close` follows, but not in Node 22, whose own WebSocket sends only this event; without a listener that of `ws` would throw.
    this.ws.addEventListener("error", ({ message, error }) => {
      this.#seen = message || error?.code;
      setTimeout(() => this.#closed({ code: 1006 }), 100);
    });
    this.#openTimer = setTimeout(
      () => this._fail(late(`the node at ${publicUrl(options.url)} did not answer`, options.openTimeoutMs)), options.openTimeoutMs);
  }

  /** Whether an offered handshake failed because the node predates subprotocols: true, false, or undefined if unknown. */
  get _isOld() {
    if (!this.#protocols.length || this.version || this._error?.code !== "connection_lost") return false;
    // Node's own WebSocket reports only "non-101".
    return /sent (no sub)?protocol|: 400/.test(this.#seen) || (this.#seen && !/non-101/.test(this.#seen) ? false : undefined);
  }

  // For sockets.

  /** How much may be sent now, in bytes; 0 when the WebSocket is full. */
  get _room() {
    // A closing WebSocket accepts nothing, and its end is reported soon.
    if (!this._isUp || this.ws.readyState !== 1) return 0;
    const left = HIGH_WATER - this.ws.bufferedAmount - this.#rushed;
    return left > 0 ? Math.max(left, this._piece) : 0;
  }

  /** Sends a request of the codec's: `_say("close", id)`. */
  _say(request, ...values) { this.send(this._codec[request](...values)); }

  /**
   * Data of a socket. Behind more than one unsent piece it waits, to be joined into one message with the data that the program writes next
   * without awaiting anything else: some microtasks, since a timer could be late.
   */
  async _sendData(id, data) {
    if (id !== this.#gatheredId) this.send();
    const begun = this.#gathered.length;
    this.#gathered = this._codec.send(id, data, begun);
    this.#gatheredId = id;
    if (this.ws.bufferedAmount >= PIECE && this.#gathered.length + PIECE <= this.#mostGathered) {
      if (begun) return;
      for (let i = 64; i--;) await null;
    }
    this.send();
  }

  /** Sends the gathered data, then the message, if there is one. */
  send(message) {
    const gathered = this.#gathered;
    this.#gathered = "";
    if (gathered) this.send(gathered);
    if (!message || this.ws.readyState !== 1) return;
    const before = this.ws.bufferedAmount;
    if (before > MOST_UNSENT) return this._fail(new WasmnetError("too_slow", "the node does not read"));
    try {
      this.ws.send(message);
    } catch {
      return later(() => this._fail(new WasmnetError("connection_lost", "the WebSocket failed")));
    }
    if (this.ws.bufferedAmount > before) return;
    // It left at once, as with Node's WebSocket, which therefore never looks full: it counts as waiting until the event loop has turned,
    // else a program that writes without pause would block everything else, including the report of the connection's end.
    if (!this.#rushed) {
      later(() => {
        this.#rushed = 0;
        this.#checkRoom();
      });
    }
    this.#rushed += message.length;
  }

  /** Notifies the socket, by `_mayPump()`, when there is room again; waiting sockets take turns. */
  _awaitRoom(socket) {
    this._waiting.add(socket);
    this.#roomTimer ??= setTimeout(() => this.#checkRoom(), ROOM_POLL_MS);
  }

  _attach(socket) {
    const { id } = socket;
    const isNodes = this.version === 1 || id >= FIRST_NODE_ID;
    if (socket.kind === "accepted" && (!isNodes || this._sockets.has(id))) throw violation(`accepted for id ${id}`);
    this._sockets.set(id, socket);
    this.#note(id);
  }

  /** A lookup takes the place of a socket. @returns a function that removes it */
  _ask(id, name, resolve, reject) {
    this._calls.set(id, { _end: reject, _event: (event) => (event.addrs ? resolve(event.addrs) : reject(refusal(event))) });
    this.#note(id);
    this._say("resolve", id, name);
    return () => this._calls.delete(id);
  }

  #note(id) {
    const whose = +(id >= FIRST_NODE_ID);
    this.#highest[whose] = Math.max(this.#highest[whose], id);
  }

  /** Data arrived for a counted socket. The unread bytes of these sockets are bounded in total: the one that holds the most ends. */
  _received(count) {
    const most = MOST_UNREAD * this.version;
    this.#unread += count;
    if (this.#unread <= most) return;
    // Recounted only now: bytes read since have left.
    this.#unread = 0;
    let fullest = { _unread: -1 };
    for (const socket of this._sockets.values()) {
      this.#unread += socket._unread;
      if (socket._unread > fullest._unread) fullest = socket;
    }
    if (this.#unread > most) fullest._overflow();
  }

  _forget(socket) {
    this._sockets.delete(socket.id);
    this._waiting.delete(socket);
  }

  /** Ends everything on this WebSocket at once; later messages from its peer are ignored. */
  _fail(error, code = 3000) {
    if (this._error) return;
    this._error = error;
    this.send();
    this._isUp = false;
    clearTimeout(this.#openTimer);
    clearTimeout(this.#roomTimer);
    clearTimeout(this.#heartbeatTimer);
    for (const socket of [...this._sockets.values(), ...this._calls.values()]) socket._end(error);
    this._owner._down(this, error);
    try {
      this.ws.close(code);
    } catch {
      // It was not opened far enough to be closed.
    }
  }

  // For the WebSocket.

  #opened() {
    if (this._error) return;
    const isV2 = this.ws.protocol === "wasmnet.v2";
    this.version = isV2 ? 2 : 1;
    // A browser's own WebSocket copies; a replacement from the program may keep the buffer.
    this._binaryCodec = new BinaryCodec(this.version, /native code/.test(this.ws.send));
    // v2 has no text: the binary codec throws at it.
    this._textCodec = isV2 ? this._binaryCodec : new JsonCodec();
    this._codec = this.#options.binary ? this._binaryCodec : this._textCodec;
    this._piece = this._codec === this._binaryCodec ? PIECE : PIECE * 3 / 4;
    // A v2 node sends first; anything else is the reason why the client is not admitted.
    if (!isV2) this.#up();
  }

  #up() {
    this._isUp = true;
    clearTimeout(this.#openTimer);
    this._owner._up(this);
  }

  #message(data) {
    if (this._error) return;
    this.#heard = performance.now();
    this.#giveUpAt = Infinity;
    this.#stoodStill = false;
    try {
      const event = readEvent(typeof data === "string" ? this._textCodec : this._binaryCodec, data);
      if (event) this.#dispatch(event);
    } catch (error) {
      return this._fail(error, 3002);
    }
    if (this._waiting.size) this.#checkRoom();
  }

  #dispatch(event) {
    const { ev, id } = event;
    const isRefusal = ev === "error" || ev === "denied";
    const socket = this._sockets.get(id) ?? ((ev === "resolved" || isRefusal) && this._calls.get(id));
    if (socket) return socket._event(event);
    const isSession = ev === "hello" || ev === "goaway";
    // A late message for an id that was used belongs to a socket that this side has forgotten.
    if (id > this.#highest[+(id >= FIRST_NODE_ID)] || (!isRefusal && (isSession !== (!id) || this._isUp === (ev === "hello")))) {
      throw violation(`${ev} for id ${id}`);
    }
    if (ev === "hello") this.#hello(event);
    if (ev === "goaway") this._owner._goaway(this, event);
    if (!isRefusal) return;
    if (id === this.#probeId) {
      if (this.#probeSent) this._rtt = Math.min(this._rtt ?? Infinity, performance.now() - this.#probeSent);
      this.#probeSent = 0;
    } else if (!id) this._owner._tell("error", { error: refusal(event) });
  }

  #hello({ ev, id, ...terms }) {
    this._terms = terms;
    this._piece = Math.min(PIECE, terms.max_message - 9);
    if (this._codec._buffer) this.#mostGathered = Math.min(GATHERED, terms.max_message);
    this.#note(this.#probeId);
    this.#sendProbe();
    this.#watch();
    this.#up();
  }

  #closed(event) { this._fail(endOf(this.#options.url, this._isUp, event, this.#seen)); }

  // Room: a WebSocket does not report when it has some, so it is polled, also with each incoming message.

  #checkRoom() {
    clearTimeout(this.#roomTimer);
    this.#roomTimer = null;
    while (this._waiting.size && this._room) {
      const [socket] = this._waiting;
      this._waiting.delete(socket);
      socket._mayPump(this._piece);
    }
    const [left] = this._waiting;
    if (!left) return;
    // The other side has ended, and unsent data may keep the WebSocket from reporting it.
    if (this.ws.readyState > 1) this.#roomTimer = setTimeout(() => this.#closed({ code: 1006 }), PING_MS);
    else this._awaitRoom(left);
  }

  // Liveness: a page sees no WebSocket pings. `listen` on an id without a socket is answered at once and changes nothing.

  #sendProbe() {
    this.#probeSent ||= performance.now();
    this._say("listen", this.#probeId, 1);
  }

  /** Probes the node, and gives it up if it does not answer within this many ms. */
  _ping(ms = PING_MS) {
    if (!this._terms || this._error) return;
    this.#giveUpAt = Math.min(this.#giveUpAt, performance.now() + ms);
    this.#sendProbe();
    this.#watch();
  }

  /** Silent for one heartbeat: it is probed. Silent for two more: it is gone. The timer is set for whichever is due. */
  #watch() {
    clearTimeout(this.#heartbeatTimer);
    const interval = Math.max(1000, this._terms.heartbeat_ms);
    const isAsked = this.#giveUpAt < Infinity;
    const nextDue = () => (isAsked ? this.#giveUpAt : this.#heard + interval);
    const due = nextDue();
    this.#heartbeatTimer = setTimeout(() => {
      // The node has sent something meanwhile.
      if (due !== nextDue()) return this.#watch();
      if (!isAsked) return this._ping(due + 2 * interval - performance.now());
      if (this.#stoodStill || performance.now() < due + LATE_MS) {
        return this._fail(new WasmnetError("connection_lost", `the node at ${publicUrl(this.#options.url)} does not answer`));
      }
      // This page was suspended: the node's messages may still be in transit. Once: all timers of a hidden page are late.
      this.#stoodStill = true;
      this.#giveUpAt = Infinity;
      this._ping();
    }, due - performance.now());
    // It does not keep a Node process alive.
    this.#heartbeatTimer.unref?.();
  }
}

/** v1's binary form has no codes. */
export function refusal(event) {
  return new WasmnetError(event.code ?? (event.ev === "denied" ? "policy_denied" : "internal"), event.message, event.retryAfterMs);
}

// One WebSocket to a node: which language it speaks, who its messages are for, what may still be put into it.

import { endOf } from "./admission.js";
import { publicUrl } from "./check.js";
import { BinaryCodec, GATHERED, PIECE } from "./codec-binary.js";
import { JsonCodec } from "./codec-json.js";
import { WasmnetError, late } from "./errors.js";
import { FIRST_NODE_ID, readEvent, violation } from "./events.js";

/** Bytes that may lie in the WebSocket unsent, so that one socket's upload is not in front of another's keystroke. */
const HIGH_WATER = 1 << 20;
const ROOM_POLL_MS = 4;
/** Bytes in the WebSocket unsent beyond which the node does not read: its messages must not pile up answers. */
const MOST_UNSENT = 16 << 20;
/** Bytes, times the version, that may be unread in all: over v1, which has no credit, of all sockets; over v2 of those that the node opens at will. */
const MOST_UNREAD = 64 << 20;
/** How long a node may take to say that it is there, when there is a reason to ask. */
const PING_MS = 5000;
/** A timer that is later than this tells of a page that stood still, not of a silent node. */
const LATE_MS = 1000;

const later = globalThis.setImmediate ?? setTimeout;

export class Link {
  /** Sockets and lookups whose answers come on this WebSocket, by id. */
  _sockets = new Map();
  _calls = new Map();
  _isUp = false;
  /** The node's terms (v2), as it says them. */
  _terms = null;
  /** A round trip to the node in ms, the shortest that was seen; undefined while unknown. */
  _rtt;
  _windowGrowth = 0;
  _error = null;
  /** 1 or 2 from the handshake on. */
  version = 0;

  #openTimer;
  #probeId = 0;
  #probeSent = 0;
  /** Sockets that wait for room: who was not called by `_mayPump` waits behind them. */
  _waiting = new Set();
  /** A message with data of one socket, which waits for more of it; and how long it may be, 0 where none waits. */
  #gathered = "";
  #gatheredId = 0;
  #mostGathered = 0;
  #unread = 0;
  #heartbeatTimer;
  #rushed = 0;
  #stoodStill = false;
  /** What Node's WebSocket tells of a handshake that failed; a page's tells nothing. */
  #seen = "";
  #options;
  #protocols;
  /** When a node that was asked and stays silent is given up. */
  #giveUpAt = Infinity;
  #roomTimer = null;
  /** The highest id that was used, of the client's and of the node's. */
  #highest = [0, 0];
  #heard = 0;

  /**
   * @param {{url, WebSocket, binary, openTimeoutMs}} options
   * @param {string[]} protocols what is offered
   * @param {number} probeId an id that no socket has
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
    // What follows is `close`, but not in Node 22, whose own WebSocket leaves it at that; without a listener that of `ws` would throw.
    this.ws.addEventListener("error", ({ message, error }) => {
      this.#seen = message || error?.code;
      setTimeout(() => this.#closed({ code: 1006 }), 100);
    });
    this.#openTimer = setTimeout(
      () => this._fail(late(`the node at ${publicUrl(options.url)} did not answer`, options.openTimeoutMs)), options.openTimeoutMs);
  }

  /** Whether an offered handshake failed because the node is of the time before subprotocols: true, false, or undefined where nothing tells. */
  get _isOld() {
    if (!this.#protocols.length || this.version || this._error?.code !== "connection_lost") return false;
    // Of Node's own WebSocket "non-101" is all that it tells.
    return /sent (no sub)?protocol|: 400/.test(this.#seen) || (this.#seen && !/non-101/.test(this.#seen) ? false : undefined);
  }

  // What the sockets use.

  /** How much may be sent now, in bytes; 0 when the WebSocket is full. */
  get _room() {
    // What is closing takes nothing, and its end is told soon.
    if (!this._isUp || this.ws.readyState !== 1) return 0;
    const left = HIGH_WATER - this.ws.bufferedAmount - this.#rushed;
    return left > 0 ? Math.max(left, this._piece) : 0;
  }

  /** Sends a request of the codec's: `_say("close", id)`. */
  _say(request, ...values) { this.send(this._codec[request](...values)); }

  /**
   * Data of a socket. Behind a piece and more that is still unsent it waits, to be one message with what the program writes next without awaiting
   * anything else: some microtasks, since a timer could be late.
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

  /** Sends what was gathered, then the message, if there is one. */
  send(message) {
    const gathered = this.#gathered;
    this.#gathered = "";
    if (gathered) this.send(gathered);
    if (!message || this.ws.readyState !== 1) return;
    const before = this.ws.bufferedAmount;
    if (before > MOST_UNSENT) return this._fail(new WasmnetError("too_slow", "the node does not read what is sent to it"));
    try {
      this.ws.send(message);
    } catch {
      return later(() => this._fail(new WasmnetError("connection_lost", "the WebSocket failed")));
    }
    if (this.ws.bufferedAmount > before) return;
    // It left at once, as from Node's WebSocket, which so never looks full: it counts as waiting until the event loop has turned, else a program
    // that writes without pause would keep out everything else, the news of the connection's end too.
    if (!this.#rushed) {
      later(() => {
        this.#rushed = 0;
        this.#checkRoom();
      });
    }
    this.#rushed += message.length;
  }

  /** Tells the socket, by `_mayPump()`, when there is room again; those that wait take turns. */
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

  /** A lookup is in the place of a socket. @returns what forgets it */
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

  /** Data came of a socket that counts. What such ones hold unread is bounded over all: the one that holds the most of it ends. */
  _received(count) {
    const most = MOST_UNREAD * this.version;
    this.#unread += count;
    if (this.#unread <= most) return;
    // Counted anew only now: what was read since has left.
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

  /** Ends everything on this WebSocket at once; what its peer does then is of no matter. */
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
      // It did not get so far that there is something to close.
    }
  }

  // The WebSocket's side.

  #opened() {
    if (this._error) return;
    const isV2 = this.ws.protocol === "wasmnet.v2";
    this.version = isV2 ? 2 : 1;
    // A browser's own WebSocket takes a copy; one that a program put in its place may keep what it is given.
    this._binaryCodec = new BinaryCodec(this.version, /native code/.test(this.ws.send));
    this._jsonCodec = isV2 ? null : new JsonCodec();
    this._codec = isV2 || this.#options.binary ? this._binaryCodec : this._jsonCodec;
    this._piece = this._codec === this._binaryCodec ? PIECE : PIECE * 3 / 4;
    // A v2 node speaks first; what it says instead is why the client is not admitted.
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
      const codec = typeof data === "string" ? this._jsonCodec : this._binaryCodec;
      if (!codec) throw violation("a text message");
      const event = readEvent(codec, data);
      if (event) this.#dispatch(event);
    } catch (error) {
      if (!(error instanceof WasmnetError)) throw error;
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
    // What an id that was used is told late is for a socket that this side has forgotten.
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

  // Room: a WebSocket does not tell when it has some, so it is asked, and each message that comes is an occasion.

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
    // The other side has ended, and what is still to be sent to it may keep the WebSocket from saying so.
    if (this.ws.readyState > 1) this.#roomTimer = setTimeout(() => this.#closed({ code: 1006 }), PING_MS);
    else this._awaitRoom(left);
  }

  // Life: a page sees no WebSocket pings. `listen` on an id that no socket has is answered at once and changes nothing.

  #sendProbe() {
    this.#probeSent ||= performance.now();
    this._say("listen", this.#probeId, 1);
  }

  /** Asks the node whether it is there, and gives it up if it says nothing for so long, in ms. */
  _ping(ms = PING_MS) {
    if (!this._terms || this._error) return;
    this.#giveUpAt = Math.min(this.#giveUpAt, performance.now() + ms);
    this.#sendProbe();
    this.#watch();
  }

  /** Silent for one heartbeat: it is asked. Silent for two more: it is gone. The timer is set for whichever is due. */
  #watch() {
    clearTimeout(this.#heartbeatTimer);
    const interval = Math.max(1000, this._terms.heartbeat_ms);
    const isAsked = this.#giveUpAt < Infinity;
    const nextDue = () => (isAsked ? this.#giveUpAt : this.#heard + interval);
    const due = nextDue();
    this.#heartbeatTimer = setTimeout(() => {
      // The node was heard of meanwhile.
      if (due !== nextDue()) return this.#watch();
      if (!isAsked) return this._ping(due + 2 * interval - performance.now());
      if (this.#stoodStill || performance.now() < due + LATE_MS) {
        return this._fail(new WasmnetError("connection_lost", `the node at ${publicUrl(this.#options.url)} does not answer`));
      }
      // This page stood still: what the node said meanwhile may still be on its way to here. Once: all timers of a hidden page are late.
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

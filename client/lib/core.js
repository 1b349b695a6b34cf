// The connection to the node over its whole life: dialing, falling back to v1, goaway, loss, dialing again.

import { WasmnetError, late } from "./errors.js";
import { FIRST_NODE_ID } from "./events.js";
import { Link } from "./link.js";
import { Socket } from "./socket.js";

const KINDS = new Set(["tcp", "tls", "udp", "listener", "udp-listener"]);
const BACKOFF = { baseMs: 500, capMs: 30000 };

/** An event of the client; its fields stand on it. */
class ClientEvent extends Event {
  constructor(type, fields) {
    super(type);
    Object.assign(this, fields);
  }
}

export class Core extends EventTarget {
  #url;
  #options;
  #link = null;
  #dialing = null;
  /** Calls that wait for a WebSocket: `{run(link), fail(error)}`. */
  #waiting = [];
  #draining = new Set();
  #nextId = 1;
  #live = new Set();
  #hasSpokenV2 = false;
  #attempt = 0;
  #retryTimer = null;
  #isClosed = false;
  #wasUp = false;
  #error = null;

  constructor(url, options = {}) {
    super();
    const { protocol = "auto", reconnect = true, openTimeoutMs = 15000, binary = false, token } = options;
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) throw new TypeError("there is no WebSocket here: pass one as options.WebSocket");
    if (!["auto", "v1", "v2"].includes(protocol)) throw new TypeError(`protocol is "auto", "v1" or "v2", not ${protocol}`);
    this.#url = url;
    const backoff = reconnect ? { ...BACKOFF, ...(reconnect === true ? null : reconnect) } : null;
    this.#options = { protocol, backoff, openTimeoutMs, binary: binary === true, token, WebSocket };
    this.#dial();
  }

  /** The WebSocket in use, or the one that is being opened; null between two. */
  get ws() { return (this.#link ?? this.#dialing)?.ws ?? null; }
  /** The language spoken, 1 or 2; 0 while there is no connection. */
  get version() { return this.#link?.version ?? 0; }
  /** What the node's `hello` said (v2), else null. */
  get terms() { return this.#link?.terms ?? null; }
  /** Every socket that is open or being opened. */
  get openSockets() { return [...this.#live]; }

  /** Resolves when the node has let the client in; rejects when this attempt to reach it fails. */
  ready() {
    return new Promise((resolve, reject) => this.#withLink({ run: () => resolve(), fail: reject }));
  }

  /**
   * Opens a socket, at the lowest level: events in, bytes out, credit by hand.
   *
   * @param {"tcp" | "tls" | "udp" | "listener" | "udp-listener"} kind
   * @param listeners set on the socket before anything can happen to it
   * @param {{openTimeoutMs?: number}} [options] how long the opening may take, the connection to the node included
   */
  socket(kind, host, port, listeners = {}, { openTimeoutMs = this.#options.openTimeoutMs } = {}) {
    if (!KINDS.has(kind)) throw new TypeError(`there is no kind of socket ${kind}`);
    checkTarget(host, port);
    checkTimeout(openTimeoutMs);
    const socket = new Socket(this, this.#takeId(), kind, host, port);
    Object.assign(socket, listeners);
    this.#live.add(socket);
    socket._limitOpening(openTimeoutMs);
    this.#withLink({ run: (link) => socket._attach(link), fail: (error) => socket._end(error) });
    return socket;
  }

  /** The addresses of a name that a client may reach. */
  async resolve(name, { signal, openTimeoutMs = this.#options.openTimeoutMs } = {}) {
    checkTimeout(openTimeoutMs);
    signal?.throwIfAborted();
    const id = this.#takeId();
    let asked = null;
    let isOver = false;
    let abort;
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        abort = () => reject(signal.reason);
        signal?.addEventListener("abort", abort);
        timer = setTimeout(() => reject(late(`${name} was not looked up`, openTimeoutMs)), openTimeoutMs);
        this.#withLink({
          run: (link) => {
            if (isOver) return;
            asked = link;
            link.ask(id, { resolve, reject }, name);
          },
          fail: reject,
        });
      });
    } finally {
      isOver = true;
      asked?.calls.delete(id);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Ends every socket and the connection, for good. */
  disconnect() {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    for (const link of [this.#link, this.#dialing, ...this.#draining]) link?.close();
    this.#failWaiting(new WasmnetError("client_closed", "the client was disconnected"));
  }

  // What sockets tell.

  _socketOpened(socket) {
    this.#live.add(socket);
    this.#tell("socketopen", { socket });
  }

  _socketEnded(socket) {
    if (this.#live.delete(socket)) this.#tell("socketclose", { socket });
  }

  // Calls and the connection they need.

  #withLink(call) {
    if (this.#isClosed) return call.fail(new WasmnetError("client_closed", "the client was disconnected"));
    if (this.#link) return call.run(this.#link);
    if (!this.#dialing && this.#error && !this.#options.backoff) return call.fail(this.#error);
    this.#waiting.push(call);
    // Without an attempt on its way, or one that is due, this call makes one.
    const isDue = this.#retryTimer === null || (this.#draining.size > 0 && this.#attempt === 0);
    if (!this.#dialing && isDue) this.#dial();
  }

  #failWaiting(error) {
    for (const call of this.#waiting.splice(0)) call.fail(error);
  }

  /** Ids are never used twice, over all WebSockets of this client; at the last one they start again, past what lives. */
  #takeId() {
    for (;;) {
      const id = this.#nextId;
      this.#nextId = id + 1 < FIRST_NODE_ID ? id + 1 : 1;
      let isFree = true;
      if (this.#hasWrapped) for (const socket of this.#live) if (socket.id === id) isFree = false;
      if (this.#nextId === 1) this.#hasWrapped = true;
      if (isFree) return id;
    }
  }

  #hasWrapped = false;

  // Dialing.

  /** What is offered: both languages, so that the node picks; then, for nodes that know no subprotocol, nothing. */
  #offer(isPlain, token) {
    const { protocol } = this.#options;
    const bearer = token ? [`wasmnet.bearer.${token}`] : [];
    if (isPlain) return [];
    if (protocol === "v1") return bearer.length ? ["wasmnet.v1", ...bearer] : [];
    return [...(protocol === "v2" || this.#hasSpokenV2 ? ["wasmnet.v2"] : ["wasmnet.v2", "wasmnet.v1"]), ...bearer];
  }

  #dial(isPlain = false) {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    const { token } = this.#options;
    if (typeof token !== "function") return this.#open(isPlain, token);
    // The token is on its way: there is nothing to close yet.
    const asking = this.#dialing = { ws: null, close: () => { this.#dialing = null; } };
    new Promise((resolve) => resolve(token())).then(
      (given) => { if (this.#dialing === asking) this.#open(isPlain, given); },
      (reason) => this.#down(asking, new WasmnetError("not_admitted", `no token: ${reason?.message ?? reason}`)),
    );
  }

  #open(isPlain, token) {
    const { WebSocket, binary, openTimeoutMs } = this.#options;
    const protocols = this.#offer(isPlain, token);
    this.#dialing = new Link({ url: this.#url, protocols, WebSocket, binary, openTimeoutMs, probeId: this.#takeId() }, {
      onup: (link) => this.#up(link),
      ondown: (link, error) => this.#down(link, error, protocols),
      ongoaway: (link, event) => this.#goaway(link, event),
      onerror: (error) => this.#tell("error", { error }),
    });
  }

  #up(link) {
    const isReconnect = this.#wasUp;
    this.#dialing = null;
    this.#link = link;
    this.#error = null;
    this.#attempt = 0;
    this.#wasUp = true;
    if (link.version === 2) this.#hasSpokenV2 = true;
    for (const call of this.#waiting.splice(0)) call.run(link);
    this.#tell("connected", { isReconnect, version: link.version, terms: link.terms });
  }

  #down(link, error, protocols = []) {
    if (this.#draining.delete(link)) return;
    const wasDialing = this.#dialing === link;
    if (wasDialing) this.#dialing = null;
    else if (this.#link === link) this.#link = null;
    if (this.#isClosed) return this.#tell("disconnected", { error, retryInMs: null });
    // A node that knows no subprotocols answers with none, which browsers take for a failure.
    const mayBePlain = wasDialing && !this.#hasSpokenV2 && !this.#options.token && this.#options.protocol === "auto";
    if (mayBePlain && protocols.length && error.code === "connection_lost") return this.#dial(true);
    this.#error = error;
    this.#failWaiting(error);
    // Whom a node has turned away it turns away again; a token may be had the next time.
    const isTurnedAway = link instanceof Link && ["not_admitted", "policy_denied"].includes(error.code);
    const mayRetry = this.#options.backoff && this.#wasUp && !isTurnedAway;
    const retryInMs = mayRetry ? this.#scheduleRetry() : null;
    this.#tell("disconnected", { error, retryInMs });
  }

  /** Full jitter: anything between nothing and a bound that doubles, so that a node's clients do not come back together. */
  #scheduleRetry(ms) {
    const { baseMs, capMs } = this.#options.backoff;
    const delay = ms ?? Math.random() * Math.min(capMs, baseMs * 2 ** this.#attempt++);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#dial(), delay);
    return delay;
  }

  /** The node drains: its sockets go on, new ones go elsewhere. */
  #goaway(link, { reconnectInMs, message }) {
    if (this.#link !== link) return;
    this.#link = null;
    this.#draining.add(link);
    if (this.#options.backoff) this.#scheduleRetry(reconnectInMs);
    else this.#error = new WasmnetError("draining", message);
    this.#tell("goaway", { reconnectInMs, message });
  }

  #tell(type, fields) {
    this.dispatchEvent(new ClientEvent(type, fields));
  }
}

function checkTarget(host, port) {
  if (typeof host !== "string" || host === "") throw new TypeError("a host is a string that is not empty");
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`a port is 0 to 65535, not ${port}`);
}

function checkTimeout(ms) {
  if (!(ms >= 1 && ms < 2 ** 31)) throw new RangeError(`openTimeoutMs is 1 to 2147483647, not ${ms}`);
}

// The connection to the node over its whole life: dialing, fallback to v1, goaway, loss, reconnecting.

import { bearer } from "./admission.js";
import { check, hostOf, msOf, optionsOf, portOf, publicUrl, signalOf, tokenOf, urlOf } from "./check.js";
import { OPEN } from "./codec-binary.js";
import { WasmnetError, late } from "./errors.js";
import { onPageLife } from "./life.js";
import { Link } from "./link.js";
import { Socket } from "./socket.js";

const BACKOFF = { baseMs: 500, capMs: 30000, first: true };
/** Refusals that would be repeated: the client does not try again. */
const FINAL = ["not_admitted", "policy_denied", "denylisted", "invalid_argument"];
/** A session that lasted this long is not a failed attempt. */
const LASTING_MS = 10000;
/** Draining nodes whose sockets are kept: if there is one more, the oldest connection is closed. */
const MOST_DRAINING = 4;
/** This many times in a row a call does not wait for the time that a draining node set. */
const MOST_AT_ONCE = 3;

export class Core extends EventTarget {
  #draining = new Set();
  #link = null;
  #live = new Set();
  /** Consecutive failed handshakes that do not show whether the node is old or the network was at fault. */
  #missed = 0;
  /** Calls that wait for a WebSocket: `{_attach(link), _end(error)}`. */
  #waiting = new Set();
  /** Only v2 is offered: the program requires it, or a node has used it. */
  #isV2 = false;
  #options;
  #error;
  #dialing;
  #retryTimer = null;
  /** From 2^52 on ids belong to the node, for accepted sockets. */
  #nextId = 1;
  /** Consecutive attempts without a session that lasted. */
  #attempt = 0;
  /** When a node last admitted the client; 0: never yet. */
  #upSince = 0;
  /** The page is suspended: no dialing until it is back. */
  #isAside = false;
  #life;

  constructor(url, options) {
    super();
    this.#options = { url: urlOf(url), ...read(options) };
    this.#isV2 = this.#options.protocol === "v2";
    this.#life = onPageLife((isAside) => {
      this.#isAside = isAside;
      for (const link of this.#links) {
        if (isAside) link._fail(new WasmnetError("connection_lost", "the page was put aside"));
        // An open connection may have lost its network.
        else link._ping?.();
      }
      if (isAside || this.#links.length) return;
      // A failed connection may work now.
      this.#attempt = 0;
      if (this.#retryTimer !== null || this.#waiting.size) this.#dial();
    });
    this.#dial();
  }

  /** The WebSocket in use, or the one that is being opened; null in between. */
  get ws() { return (this.#link ?? this.#dialing)?.ws ?? null; }
  /** The protocol version in use, 1 or 2; 0 without a connection. */
  get version() { return this.#link?.version ?? 0; }
  /** The content of the node's `hello` (v2), else null. */
  get terms() { return this.#link?._terms ?? null; }
  /** Every socket that is open or being opened. */
  get openSockets() { return [...this.#live]; }

  /** Resolves when a node has admitted the client; rejects after `openTimeoutMs`, or at once if it is not tried again. */
  ready() { return this.#ask("no node was there", {}, (link, resolve) => { resolve(); }); }

  /**
   * Opens a socket, at the lowest level: events in, bytes out, manual credit.
   *
   * @param {"tcp" | "tls" | "udp" | "listener" | "udp-listener"} kind
   * @param listeners set on the socket before any event
   * @param {{openTimeoutMs?: number}} [options] how long the opening may take, including the connection to the node
   */
  socket(kind, host, port, listeners, options) {
    const { openTimeoutMs = this.#options.openTimeoutMs } = optionsOf(options);
    check("the kind", kind, Object.keys(OPEN));
    hostOf(host);
    // A listener may let the node choose.
    portOf(port, /listener/.test(kind) ? 0 : 1);
    msOf(openTimeoutMs);
    const socket = new Socket(this, this.#takeId(), kind, host, port);
    socket._begin(listeners, openTimeoutMs);
    this.#live.add(socket);
    this.#withLink(socket);
    return socket;
  }

  /** The addresses of a name that the client may reach. */
  async resolve(name, options) {
    hostOf(name);
    return this.#ask(`${name} was not looked up`, options, (link, resolve, reject) => link._ask(this.#takeId(), name, resolve, reject));
  }

  /** Ends every socket and the connection, permanently. */
  disconnect() {
    this.#options._backoff = null;
    this.#life.abort();
    clearTimeout(this.#retryTimer);
    this.#error = new WasmnetError("client_closed", "the client was disconnected");
    for (const link of this.#links) link._fail(this.#error, 1000);
    this.#tellWaiting((call) => call._end(this.#error));
  }

  // Reports of sockets.

  _socketOpened(socket) {
    this.#live.add(socket);
    this._tell("socketopen", { socket });
  }

  _socketEnded(socket) {
    this.#waiting.delete(socket);
    if (this.#live.delete(socket)) this._tell("socketclose", { socket });
  }

  // Calls and their connection.

  get #links() { return [this.#link, this.#dialing, ...this.#draining].filter(Boolean); }

  /** A promise that `work` settles once there is a link; the timeout covers both. The function that `work` returns is called at the end. */
  async #ask(what, options, work) {
    const { signal, openTimeoutMs = this.#options.openTimeoutMs } = optionsOf(options);
    signalOf(signal)?.throwIfAborted();
    msOf(openTimeoutMs);
    let call;
    let timer;
    let abort;
    let undo;
    try {
      return await new Promise((resolve, reject) => {
        call = { _attach: (link) => { undo = work(link, resolve, reject); }, _end: reject };
        abort = () => reject(signal.reason);
        signal?.addEventListener("abort", abort);
        timer = setTimeout(() => reject(this._late(what, openTimeoutMs)), openTimeoutMs);
        this.#withLink(call);
      });
    } finally {
      this.#waiting.delete(call);
      undo?.();
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Why a call timed out: the node did not answer, or there is no connection to one. */
  _late(what, ms) { return (!this.#link && this.#error) || late(what, ms); }

  /** @param call a socket, or an object with the same methods: either `_attach(link)` or `_end(error)` is called later */
  #withLink(call) {
    // A failing link is about to end: `_down` decides whether the call waits for the next.
    if (this.#link?._isUp) return call._attach(this.#link);
    if (!this.#dialing && this.#error && !this.#options._backoff) return queueMicrotask(() => call._end(this.#error));
    this.#waiting.add(call);
    // If no attempt is running or due, this call starts one.
    const isDue = this.#retryTimer === null || (this.#draining.size > 0 && this.#attempt < MOST_AT_ONCE);
    if (!this.#link && !this.#dialing && isDue) this.#dial();
  }

  /** The functions called here may wait again. */
  #tellWaiting(tell) {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    waiting.forEach(tell);
  }

  /** Ids are never reused, over all WebSockets of this client: a million a second last a hundred years. A v1 node may have used some. */
  #takeId() {
    while (this.#link?._sockets.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  // Dialing.

  /** The offer: both versions, so that the node selects; nothing for nodes that do not support subprotocols. */
  #offer(isPlain, token) {
    const { protocol } = this.#options;
    if (isPlain || (protocol === "v1" && !token)) return [];
    const languages = ["wasmnet.v2", "wasmnet.v1"].slice(protocol === "v1", this.#isV2 ? 1 : 2);
    if (token) languages.push(bearer(token));
    return languages;
  }

  #dial(isPlain = false) {
    if (this.#isAside) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    const { token, openTimeoutMs } = this.#options;
    // The token is pending, or the WebSocket's error is still to be reported: there is nothing to close yet.
    const fail = (error) => this.#dialing === asking && this._down(asking, error);
    const asking = this.#dialing = { _isOld: false, _fail: fail };
    const open = (given) => {
      if (this.#dialing !== asking) return;
      try {
        this.#dialing = new Link(this.#options, this.#offer(isPlain, given), this.#takeId(), this);
      } catch (error) {
        // A page's own policy, or a class from the program. Only the name: the message may show the token.
        const words = `no WebSocket to ${publicUrl(this.#options.url)} can be made here (${error?.name})`;
        queueMicrotask(() => fail(new WasmnetError("invalid_argument", words)));
      }
    };
    if (typeof token !== "function") return open(token);
    const timer = setTimeout(() => fail(late("no token", openTimeoutMs)), openTimeoutMs);
    // The exception may show the token; the message about its value does not.
    const failed = (cause, why = "") => fail(Object.assign(new WasmnetError("not_admitted", `the token function failed${why}`), { cause }));
    Promise.resolve().then(token).then((given) => open(tokenOf(given)), failed)
      .catch((cause) => failed(cause, `: ${cause.message}`)).finally(() => clearTimeout(timer));
  }

  // Reports of links.

  _up(link) {
    const isReconnect = this.#upSince > 0;
    this.#dialing = null;
    this.#link = link;
    this.#error = null;
    this.#upSince = performance.now();
    this.#missed = 0;
    this.#tellWaiting((call) => call._attach(link));
    this._tell("connected", { isReconnect, version: link.version, terms: link._terms });
  }

  _down(link, error) {
    if (this.#draining.delete(link)) return;
    const wasDialing = this.#dialing === link;
    if (wasDialing) this.#dialing = null;
    else this.#leave();
    if (link.version === 2) this.#isV2 = true;
    const { _backoff: backoff, token } = this.#options;
    // A node that refused a client refuses it again; a token function may return a new token the next time.
    const mayRetry = backoff && (this.#upSince || backoff.first) && !(FINAL.includes(error.code) && (link instanceof Link || !this.#upSince));
    // A page cannot distinguish a node without subprotocols from an interrupted handshake: so v2 is tried twice.
    if (wasDialing && link._isOld !== false && !this.#isV2 && token === undefined) {
      this.#missed++;
      if (link._isOld || this.#missed > 1) {
        this.#missed = 0;
        return this.#dial(true);
      }
      if (!mayRetry) return this.#scheduleRetry();
    }
    this.#error = error;
    if (!mayRetry) this.#tellWaiting((call) => call._end(error));
    const retryInMs = mayRetry ? this.#scheduleRetry() : null;
    this._tell("disconnected", { error, retryInMs });
  }

  /** A node that admits the client only for a moment each time must not be dialed without pause. */
  #leave() {
    this.#link = null;
    if (performance.now() - this.#upSince >= LASTING_MS) this.#attempt = 0;
  }

  /**
   * Full jitter: a random time up to a bound that doubles, so that a node's clients do not all reconnect together.
   *
   * @param ms the time that the node set: the minimum, and the only wait the first time
   */
  #scheduleRetry(ms) {
    const { baseMs, capMs } = this.#options._backoff || BACKOFF;
    const delay = Math.max(ms ?? 0, Math.random() * Math.min(capMs, baseMs * (2 ** this.#attempt++ - (ms >= 0))));
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#dial(), delay);
    return delay;
  }

  /** The node drains: its sockets continue, new ones use another connection. */
  _goaway(link, { reconnectInMs, message }) {
    if (this.#link !== link) return;
    this.#leave();
    this.#isV2 = true;
    const [oldest] = this.#draining.add(link);
    const error = new WasmnetError("draining", message);
    if (this.#options._backoff) this.#scheduleRetry(reconnectInMs);
    else this.#error = error;
    if (this.#draining.size > MOST_DRAINING) oldest._fail(error);
    this._tell("goaway", { reconnectInMs, message });
  }

  /** An event with its fields as properties. */
  _tell(type, fields) { this.dispatchEvent(Object.assign(new Event(type), fields)); }
}

/** The options of a client, each validated. */
function read(options) {
  const { protocol = "auto", reconnect = true, openTimeoutMs = 15000, binary = false, token, WebSocket = globalThis.WebSocket } = optionsOf(options);
  check("the option WebSocket", typeof WebSocket, ["function"], "a class where there is no global one");
  check("protocol", protocol, ["auto", "v1", "v2"]);
  check("binary", binary, "boolean");
  msOf(openTimeoutMs);
  if (typeof (token ?? read) !== "function") tokenOf(token);
  const backoff = reconnect !== false && { ...BACKOFF, ...(reconnect === true ? null : optionsOf(reconnect, "reconnect", "a boolean or { baseMs, capMs, first }")) };
  if (backoff) {
    msOf(backoff.baseMs, "reconnect.baseMs");
    msOf(backoff.capMs, "reconnect.capMs");
    check("reconnect.first", backoff.first, "boolean");
  }
  return { protocol, _backoff: backoff, openTimeoutMs, binary, token, WebSocket };
}

// The connection to the node over its whole life: dialing, falling back to v1, goaway, loss, dialing again.

import { bearer } from "./admission.js";
import { check, hostOf, msOf, optionsOf, portOf, publicUrl, signalOf, tokenOf, urlOf } from "./check.js";
import { OPEN } from "./codec-binary.js";
import { WasmnetError, late } from "./errors.js";
import { onPageLife } from "./life.js";
import { Link } from "./link.js";
import { Socket } from "./socket.js";

const BACKOFF = { baseMs: 500, capMs: 30000, first: true };
/** Who is turned away so, or cannot even ask, is so again: it is not tried again. */
const FINAL = ["not_admitted", "policy_denied", "denylisted", "invalid_argument"];
/** A session that lasted so long is no failed attempt. */
const LASTING_MS = 10000;
/** Nodes that drain and whose sockets go on: of one more the oldest is left. */
const MOST_DRAINING = 4;
/** So often in a row a call need not wait for when a draining node said. */
const MOST_AT_ONCE = 3;

export class Core extends EventTarget {
  #draining = new Set();
  #link = null;
  #live = new Set();
  /** Handshakes in a row of which nothing tells whether the node is old or something was in the way. */
  #missed = 0;
  /** Calls that wait for a WebSocket: `{_attach(link), _end(error)}`. */
  #waiting = new Set();
  /** v2 alone is offered: the program wants that, or a node was seen to speak it. */
  #isV2 = false;
  #options;
  #error;
  #dialing;
  #retryTimer = null;
  /** From 2^52 on ids are the node's, for what it accepts. */
  #nextId = 1;
  /** Attempts in a row that led to no session that lasted. */
  #attempt = 0;
  /** When a node let the client in last; 0: none did yet. */
  #upSince = 0;
  /** The page is put aside: nothing is dialed until it is back. */
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
        // What was up may have no network under it any more.
        else link._ping?.();
      }
      if (isAside || this.#links.length) return;
      // What was down may be up.
      this.#attempt = 0;
      if (this.#retryTimer !== null || this.#waiting.size) this.#dial();
    });
    this.#dial();
  }

  /** The WebSocket in use, or the one that is being opened; null between two. */
  get ws() { return (this.#link ?? this.#dialing)?.ws ?? null; }
  /** The language spoken, 1 or 2; 0 while there is no connection. */
  get version() { return this.#link?.version ?? 0; }
  /** What the node's `hello` said (v2), else null. */
  get terms() { return this.#link?._terms ?? null; }
  /** Every socket that is open or being opened. */
  get openSockets() { return [...this.#live]; }

  /** Resolves when a node has let the client in; rejects after `openTimeoutMs`, and at once where it is not tried again. */
  ready() { return this.#ask("no node was there", {}, (link, resolve) => { resolve(); }); }

  /**
   * Opens a socket, at the lowest level: events in, bytes out, credit by hand.
   *
   * @param {"tcp" | "tls" | "udp" | "listener" | "udp-listener"} kind
   * @param listeners set on the socket before anything can happen to it
   * @param {{openTimeoutMs?: number}} [options] how long the opening may take, the connection to the node included
   */
  socket(kind, host, port, listeners, options) {
    const { openTimeoutMs = this.#options.openTimeoutMs } = optionsOf(options);
    check("the kind", kind, Object.keys(OPEN));
    hostOf(host);
    // Listeners may leave it to the node.
    portOf(port, kind.endsWith("listener") ? 0 : 1);
    msOf(openTimeoutMs);
    const socket = new Socket(this, this.#takeId(), kind, host, port);
    socket._begin(listeners, openTimeoutMs);
    this.#live.add(socket);
    this.#withLink(socket);
    return socket;
  }

  /** The addresses of a name that a client may reach. */
  async resolve(name, options) {
    hostOf(name);
    return this.#ask(`${name} was not looked up`, options, (link, resolve, reject) => link._ask(this.#takeId(), name, resolve, reject));
  }

  /** Ends every socket and the connection, for good. */
  disconnect() {
    this.#options._backoff = null;
    this.#life.abort();
    clearTimeout(this.#retryTimer);
    this.#error = new WasmnetError("client_closed", "the client was disconnected");
    for (const link of this.#links) link._fail(this.#error, 1000);
    this.#tellWaiting((call) => call._end(this.#error));
  }

  // What sockets tell.

  _socketOpened(socket) {
    this.#live.add(socket);
    this._tell("socketopen", { socket });
  }

  _socketEnded(socket) {
    this.#waiting.delete(socket);
    if (this.#live.delete(socket)) this._tell("socketclose", { socket });
  }

  // Calls and the connection they need.

  get #links() { return [this.#link, this.#dialing, ...this.#draining].filter(Boolean); }

  /** A promise that `work` settles once there is a link; the time that it may take bounds both. What `work` returns is called in the end. */
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

  /** Why something has not come about in its time: the node, or that there is none. */
  _late(what, ms) { return (!this.#link && this.#error) || late(what, ms); }

  /** @param call a socket, or what is like one here: `_attach(link)` or `_end(error)` is called when it is known which */
  #withLink(call) {
    // One that fails is about to go: `_down` says whether the call waits for the next.
    if (this.#link?._isUp) return call._attach(this.#link);
    if (!this.#dialing && this.#error && !this.#options._backoff) return call._end(this.#error);
    this.#waiting.add(call);
    // Without an attempt on its way, or one that is due, this call makes one.
    const isDue = this.#retryTimer === null || (this.#draining.size > 0 && this.#attempt < MOST_AT_ONCE);
    if (!this.#link && !this.#dialing && isDue) this.#dial();
  }

  /** What is called by these may wait again. */
  #tellWaiting(tell) {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    waiting.forEach(tell);
  }

  /** Ids are never used twice, over all WebSockets of this client: a million a second would do for a hundred years. A v1 node may have taken some. */
  #takeId() {
    while (this.#link?._sockets.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  // Dialing.

  /** What is offered: both languages, so that the node picks; to nodes that know no subprotocol, nothing. */
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
    // The token is on its way, or the WebSocket's fault has still to be told: there is nothing to close yet.
    const fail = (error) => this.#dialing === asking && this._down(asking, error);
    const asking = this.#dialing = { _isOld: false, _fail: fail };
    const open = (given) => {
      if (this.#dialing !== asking) return;
      try {
        this.#dialing = new Link(this.#options, this.#offer(isPlain, given), this.#takeId(), this);
      } catch (error) {
        // A page's own policy, or a class that the program gave. Only the name: the message may show the token.
        const words = `no WebSocket to ${publicUrl(this.#options.url)} can be made here (${error?.name})`;
        queueMicrotask(() => fail(new WasmnetError("invalid_argument", words)));
      }
    };
    if (typeof token !== "function") return open(token);
    const timer = setTimeout(() => fail(late("no token", openTimeoutMs)), openTimeoutMs);
    // What it threw may show the token; the words for what it gave do not.
    const failed = (cause, why = "") => fail(Object.assign(new WasmnetError("not_admitted", `the token function failed${why}`), { cause }));
    Promise.resolve().then(token).then((given) => open(tokenOf(given)), failed)
      .catch((cause) => failed(cause, `: ${cause.message}`)).finally(() => clearTimeout(timer));
  }

  // What links tell.

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
    // Whom a node has turned away it turns away again; a token may be had the next time.
    const mayRetry = backoff && (this.#upSince || backoff.first) && !(FINAL.includes(error.code) && (link instanceof Link || !this.#upSince));
    // A page is told no more of a node that knows no subprotocols than of a handshake that was cut: so v2 is tried twice.
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

  /** Who lets the client in for a moment each time must not be dialed without pause. */
  #leave() {
    this.#link = null;
    if (performance.now() - this.#upSince >= LASTING_MS) this.#attempt = 0;
  }

  /**
   * Full jitter: anything between nothing and a bound that doubles, so that a node's clients do not come back together.
   *
   * @param ms when the node said, which is waited for at least, and alone the first time
   */
  #scheduleRetry(ms) {
    const { baseMs, capMs } = this.#options._backoff || BACKOFF;
    const delay = Math.max(ms ?? 0, Math.random() * Math.min(capMs, baseMs * (2 ** this.#attempt++ - (ms >= 0))));
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#dial(), delay);
    return delay;
  }

  /** The node drains: its sockets go on, new ones go elsewhere. */
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

  /** An event's fields stand on it. */
  _tell(type, fields) { this.dispatchEvent(Object.assign(new Event(type), fields)); }
}

/** The options of a client, each as it must be. */
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

/** Words for why something ended or was refused, with the wire's numbers. */
export declare const codes: Readonly<Record<ReasonCode, number>>;

export type ReasonCode =
  | "normal" | "client_closed" | "target_reset" | "target_timeout"
  | "policy_denied" | "denylisted" | "max_connections" | "connect_rate" | "byte_quota" | "max_sessions" | "not_admitted"
  | "refused" | "unreachable" | "connect_timeout" | "name_not_found" | "tls_failed" | "address_in_use"
  | "protocol_error" | "unknown_socket" | "duplicate_id" | "message_too_large" | "too_slow"
  | "draining" | "overloaded" | "internal"
  /** The WebSocket ended without a word, or the node cannot be reached. */
  | "connection_lost"
  /** An option or an argument cannot be, and the message names it and says what it may be. Trying again does not help. */
  | "invalid_argument";

export declare class WasmnetError extends Error {
  constructor(code: ReasonCode, message?: string, retryAfterMs?: number);
  readonly code: ReasonCode;
  /** When it may work again, in milliseconds; 0 when waiting does not help. */
  readonly retryAfterMs: number;
}

export type Data = string | ArrayBufferLike | ArrayBufferView;

export interface ClientOptions {
  /** v1 only: binary messages in place of JSON. It also makes `send` take strings as UTF-8. Default false. */
  binary?: boolean | undefined;
  /** Default "auto": v2, and v1 with a node that does not know it. */
  protocol?: "auto" | "v1" | "v2" | undefined;
  /**
   * Proves who the client is, 1 to 8,192 visible ASCII characters; a function is asked before each connection. Travels as a subprotocol, never in
   * the URL, and is in no error.
   */
  token?: string | (() => string | Promise<string>) | undefined;
  /**
   * After a first attempt that failed, goaway or loss, connect again: at random within `baseMs` (500), doubling up to `capMs` (30,000) until a
   * session has lasted 10 s, both in ms, 1 to 2,147,483,647. `first: false`: not after the first attempt, which then rejects all that waits. Default true.
   */
  reconnect?: boolean | { baseMs?: number | undefined; capMs?: number | undefined; first?: boolean | undefined } | undefined;
  /** How long anything may take to open, in ms, 1 to 2,147,483,647: the WebSocket, and each socket and lookup from its call on. Default 15,000. */
  openTimeoutMs?: number | undefined;
  /** The class to use where there is no global one, as in Node 20: `ws`. */
  WebSocket?: (new (url: string, protocols?: string[]) => any) | undefined;
}

/** The terms that a v2 node states, held to these ranges; newer nodes may state more. */
export interface Terms {
  /** Of the node's program; the node's name; the session's. Up to 256 characters each. */
  version: string;
  node: string;
  session: string;
  /** First credit of a socket, each way, in bytes: 1 to 16,777,216. */
  window: number;
  /** The largest message that the node takes, in bytes: 2,048 to 4,294,967,295. */
  max_message: number;
  /** Sockets that the session may have at once: 1 to 4,294,967,295. */
  max_sockets: number;
  /** Silence, in ms, after which the node is asked whether it is there: 1 to 86,400,000. */
  heartbeat_ms: number;
}

export interface ClientEventMap {
  /** A node let the client in, the first time or again. Listeners of before are gone: bind them again here. */
  connected: Event & { isReconnect: boolean; version: 1 | 2; terms: Terms | null };
  /** The connection ended, and its sockets with it. `retryInMs` is null when it is not tried again. */
  disconnected: Event & { error: WasmnetError; retryInMs: number | null };
  /** The node drains. Its sockets go on for a while, those of four such nodes at most; new ones are opened on the next connection. */
  goaway: Event & { reconnectInMs: number; message: string };
  /** A socket of whatever kind is open. */
  socketopen: Event & { socket: Socket };
  /** A socket ended, or could not be opened; `socket.ending` says why. */
  socketclose: Event & { socket: Socket & { readonly ending: WasmnetError } };
  /** The node complains about a message that belongs to no socket. */
  error: Event & { error: WasmnetError };
}

export interface Target {
  hostname: string;
  port: number;
}

export interface OpeningOptions {
  /**
   * How long the opening may take, in ms, 1 to 2,147,483,647, the connection to the node included; then it fails with `connect_timeout`. It ends
   * nothing that is open. Default: the client's.
   */
  openTimeoutMs?: number | undefined;
  /** Aborting resets the socket at any time, whether it is open or not. To bound the opening alone, use `openTimeoutMs`. */
  signal?: AbortSignal | undefined;
}

export interface OpenOptions extends OpeningOptions {
  /** Default "tcp". */
  transport?: "tcp" | "tls" | undefined;
  /** The same as transport "tls": the node does the TLS handshake, and sees the plain bytes. */
  tls?: boolean | undefined;
  /**
   * Keep `writable` open when the target has ended its side. Default false for what is opened: the connection ends once what was
   * written has gone out. Default true for what a listener takes: who dials in may end first and wait for the answer.
   */
  allowHalfOpen?: boolean | undefined;
}

export interface ConnectionInfo {
  /** "" and 0 where the node does not say. */
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
  alpn: string | null;
}

/** Streams that `for await` takes, of which older TypeScript does not know. */
export type Readable<T> = ReadableStream<T> & AsyncIterable<T> & {
  values(options?: { preventCancel?: boolean | undefined }): AsyncIterableIterator<T>;
};

/** A TCP or TLS connection as two streams. */
export declare class Connection {
  /**
   * Cancelling it, as leaving a `for await` loop does (but for `values({ preventCancel: true })`), ends the reading side: the node gets no more
   * credit, and what still comes is dropped. Once `writable` is closed too, the connection ends as soon as what was written has gone out.
   */
  readonly readable: Readable<Uint8Array>;
  /**
   * Takes bytes and strings (UTF-8). A write resolves when the target has taken the connection and the node has let the bytes in, and rejects
   * when it is refused. Closing it half-closes; aborting it resets.
   */
  readonly writable: WritableStream<Data>;
  readonly opened: Promise<ConnectionInfo>;
  /** Resolves at an orderly end; rejects with a WasmnetError at any other. */
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  /** Ends both directions; what was written before still goes out. Resolves when the node has closed. */
  close(): Promise<void>;
  /** Drops the connection at once. */
  reset(): void;
}

export interface Datagram {
  data: Uint8Array;
  remoteAddress: string;
  remotePort: number;
}

export interface DatagramToSend {
  data: Data;
  /** Needed where the socket has no peer, or another than this is meant. */
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}

/** A UDP socket as two streams of datagrams. Of those that nobody reads the oldest are dropped, and counted in `socket.dropped`. */
export declare class DatagramConnection {
  /** Cancelling it, as leaving a `for await` loop does, ends the reading side; what still comes is dropped. */
  readonly readable: Readable<Datagram>;
  /**
   * A write waits until the socket is open and the WebSocket has room. One of a datagram that cannot be sent (`message_too_large`: over 65,507
   * bytes) rejects and, as with every WritableStream, is the last. Closing or aborting it closes the socket.
   */
  readonly writable: WritableStream<Data | DatagramToSend>;
  readonly opened: Promise<{ localPort: number }>;
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  close(): Promise<void>;
}

/** A bound port. Iterating takes connections; leaving the loop closes it. */
export declare class Listener implements AsyncIterable<Connection> {
  readonly opened: Promise<{ localPort: number }>;
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  /** The next connection; null when the listener was closed. */
  accept(): Promise<Connection | null>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Connection>;
}

export type SocketKind = "tcp" | "tls" | "udp" | "listener" | "udp-listener";

export interface SocketListeners {
  onopen?: ((socket: Socket) => void) | null | undefined;
  /** The program says `socket.consumed(chunk.length)` when it has read it. The chunk is the program's. */
  ondata?: ((chunk: Uint8Array, socket: Socket) => void) | null | undefined;
  ondatagram?: ((data: Uint8Array, addr: string, port: number) => void) | null | undefined;
  onaccept?: ((socket: Socket) => void) | null | undefined;
  /** The target has no more to send. */
  onend?: (() => void) | null | undefined;
  /** Called once, last of all, also when the socket could not be opened. Code "normal" or "client_closed" is no failure. */
  onclosed?: ((error: WasmnetError) => void) | null | undefined;
  /** `sendable` was 0 and is no longer, or the socket ended. */
  onsendable?: ((socket: Socket) => void) | null | undefined;
  /** A datagram or a request was refused; the socket lives on. */
  onerror?: ((error: WasmnetError, socket: Socket) => void) | null | undefined;
}

/** One socket at the lowest level. Listeners that are set late are called with what came before. */
export declare class Socket implements SocketListeners {
  private constructor();
  readonly id: number;
  readonly kind: SocketKind | "accepted";
  /** As asked for; null for an accepted socket. */
  readonly host: string | null;
  readonly port: number;
  readonly state: "opening" | "open" | "closed";
  /** "ip:port" or "[ip6]:port"; null where the node does not say. */
  readonly local: string | null;
  readonly remote: string | null;
  readonly alpn: string | null;
  /** Of a listener or UDP socket. */
  readonly localPort: number;
  /** Of an accepted socket. */
  readonly listener?: Socket;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /**
   * Datagrams that were lost in the client: of those that nobody read the oldest, beyond 256 KiB a socket (each counts for 128 bytes more than it
   * has); and those that could not be sent, larger than 65,507 bytes or than a message to the node, or while the WebSocket was full.
   */
  readonly dropped: number;
  readonly ending: WasmnetError | null;
  /** TCP or TLS, dialed or accepted. */
  readonly isStream: boolean;
  readonly isDatagram: boolean;
  /** Nothing more can be sent: it was shut down, is being closed, or has ended. */
  readonly isShut: boolean;

  /** While true `ondata`, `ondatagram` and `onaccept` are not called; what comes waits, within its bound, and `onend` and `onclosed` wait behind data. */
  paused: boolean;
  /** Bytes that wait for `ondata`. */
  readonly waitingBytes: number;

  onopen: SocketListeners["onopen"];
  ondata: SocketListeners["ondata"];
  ondatagram: SocketListeners["ondatagram"];
  onaccept: SocketListeners["onaccept"];
  onend: SocketListeners["onend"];
  onclosed: SocketListeners["onclosed"];
  onsendable: SocketListeners["onsendable"];
  onerror: SocketListeners["onerror"];

  /** Bytes that `send` hands on at once: within the credit and what the WebSocket takes now. */
  readonly sendable: number;
  /** Bytes given to `send` that wait. */
  readonly queued: number;
  /**
   * TCP and TLS: takes all of it; what is beyond `sendable` is copied and waits. UDP: one datagram of at most 65,507 bytes, which is sent at once or,
   * where `sendable` is 0, dropped and counted in `dropped`. Throws a WasmnetError when the socket has ended or was shut down, and
   * `message_too_large` for a datagram that is too large.
   */
  send(data: Data): void;
  sendTo(host: string, port: number, data: Data): void;
  /** So many bytes of what `ondata` was given are read, all of it at most: the node may send as many more. Over v1 it does nothing. */
  consumed(count: number): void;
  listen(backlog?: number): void;
  /** Half-close, after what was sent. Over v1 nothing is told: v1 has no half-close. */
  shutdown(): void;
  /** Ends it after what was sent. `onclosed` follows when the node has done so. */
  close(): void;
  /** Ends it now, without what is unsent; `onclosed` is called before this returns. */
  reset(): void;
}

/** Every call checks what it is given: what cannot be is a WasmnetError with `invalid_argument`, thrown, or the promise's rejection. */
export declare class WasmnetClient extends EventTarget {
  /** @param url absolute, `ws://` or `wss://`, without a fragment */
  constructor(url: string | URL, options?: ClientOptions);

  // Numbers and callbacks.

  /**
   * Resolves when a node has let the client in. Rejects after `openTimeoutMs`, with why there is none, and at once where it is not tried again:
   * `not_admitted`, `policy_denied`, `denylisted`, `invalid_argument`, or without `reconnect`.
   */
  ready(): Promise<void>;
  connect(addr: string, port: number): Promise<number>;
  connectTls(addr: string, port: number): Promise<number>;
  connectUdp(addr: string, port: number): Promise<{ id: number; port: number }>;
  /** Listens for TCP at once; port 0 lets the node choose. `addr` is an IP literal. */
  bind(addr: string, port: number): Promise<{ id: number; port: number }>;
  /** A UDP socket that takes datagrams from anyone; needs a node that knows it. */
  bindUdp(addr: string, port: number): Promise<{ id: number; port: number }>;
  listen(id: number, backlog?: number): void;
  /**
   * A string is one byte a character (up to U+00FF), and UTF-8 with `{binary: true}`. Ids that are unknown or closed are
   * ignored. Throws `message_too_large` for a datagram that cannot be sent.
   */
  send(id: number, data: Data): void;
  sendTo(id: number, addr: string, port: number, data: Data): void;
  resolve(name: string, options?: OpeningOptions): Promise<string[]>;
  /** The socket's callbacks are called no more. */
  close(id: number): void;
  onData(id: number, callback: (data: Uint8Array) => void): void;
  onDataFrom(id: number, callback: (data: Uint8Array, addr: string, port: number) => void): void;
  onClose(id: number, callback: (reason: WasmnetError) => void): void;
  onAccept(id: number, callback: (connId: number, remote: string) => void): void;
  /** Ends every socket and the connection, for good. */
  disconnect(): void;

  // Streams.

  open(target: Target | string, options?: OpenOptions): Connection;
  listenOn(local: Target | string, options?: OpeningOptions & { allowHalfOpen?: boolean | undefined }): Listener;
  openUdp(target: Target | string, options?: OpeningOptions): DatagramConnection;
  listenUdp(local: Target | string, options?: OpeningOptions): DatagramConnection;

  // The lowest level.

  /** Opens at once and may be used at once; what is sent waits until it can be. */
  socket(kind: SocketKind, host: string, port: number, listeners?: SocketListeners, options?: { openTimeoutMs?: number | undefined }): Socket;
  /** Every socket that is open or being opened, of whichever level. */
  readonly openSockets: Socket[];
  /** Sockets of the calls by number. */
  readonly sockets: Map<number, Socket>;
  /** The WebSocket in use or being opened. */
  readonly ws: WebSocket | null;
  /** The language spoken; 0 while there is no connection. */
  readonly version: 0 | 1 | 2;
  readonly terms: Terms | null;

  addEventListener<K extends keyof ClientEventMap>(
    type: K, listener: (event: ClientEventMap[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ClientEventMap>(
    type: K, listener: (event: ClientEventMap[K]) => void, options?: boolean | EventListenerOptions): void;
  removeEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** Words for why a socket or session ended or was refused, with the protocol's numbers. */
export declare const codes: Readonly<Record<ReasonCode, number>>;

export type ReasonCode =
  | "normal" | "client_closed" | "target_reset" | "target_timeout"
  | "policy_denied" | "denylisted" | "max_connections" | "connect_rate" | "byte_quota" | "max_sessions" | "not_admitted"
  | "refused" | "unreachable" | "connect_timeout" | "name_not_found" | "tls_failed" | "address_in_use"
  /** Of one call: the node found it invalid, as a name that is not ASCII. Of all sockets: the session ended. */
  | "protocol_error" | "unknown_socket" | "duplicate_id" | "message_too_large" | "too_slow"
  | "draining" | "overloaded" | "internal"
  /** The WebSocket ended without a reason, or the node cannot be reached. */
  | "connection_lost"
  /** An option or an argument is invalid: the message names it and the allowed values. Trying again does not help. */
  | "invalid_argument";

export declare class WasmnetError extends Error {
  constructor(code: ReasonCode, message?: string, retryAfterMs?: number);
  readonly code: ReasonCode;
  /** When it may work again, in milliseconds; 0 if waiting does not help. */
  readonly retryAfterMs: number;
}

export type Data = string | ArrayBufferLike | ArrayBufferView;

export interface ClientOptions {
  /** v1 only: binary messages instead of JSON. It also makes `send` encode strings as UTF-8. Default false. */
  binary?: boolean | undefined;
  /** Default "auto": v2, and v1 with a node that does not support it. */
  protocol?: "auto" | "v1" | "v2" | undefined;
  /**
   * Identifies the client, 1 to 8,192 visible ASCII characters; a function is called before each connection. Sent as a subprotocol, never
   * in the URL, and not shown in any error.
   */
  token?: string | (() => string | Promise<string>) | undefined;
  /**
   * After a first attempt that failed, goaway or loss, reconnect: at random within `baseMs` (500), doubling up to `capMs` (30,000) until
   * a session lasts 10 s, both in ms, 1 to 2,147,483,647. `first: false`: a failed first attempt rejects all waiting calls. Default true.
   */
  reconnect?: boolean | { baseMs?: number | undefined; capMs?: number | undefined; first?: boolean | undefined } | undefined;
  /** The limit for each opening, in ms, 1 to 2,147,483,647: the WebSocket, and each socket and lookup from its call on. Default 15,000. */
  openTimeoutMs?: number | undefined;
  /** The class to use if there is no global one, as in Node 20: `ws`. */
  WebSocket?: (new (url: string, protocols?: string[]) => any) | undefined;
}

/** The terms of a v2 node, checked against these ranges; newer nodes may send more. */
export interface Terms {
  /** The version of the node's program; the node's name; the session's. Up to 256 characters each. */
  version: string;
  node: string;
  session: string;
  /** First credit of a socket, each way, in bytes: 1 to 16,777,216. */
  window: number;
  /** The largest message that the node accepts, in bytes: 2,048 to 4,294,967,295. */
  max_message: number;
  /** Sockets that the session can have at once: 1 to 4,294,967,295. */
  max_sockets: number;
  /** Silence, in ms, after which the client probes the node: 1 to 86,400,000. */
  heartbeat_ms: number;
}

export interface ClientEventMap {
  /** A node admitted the client, for the first time or again. Earlier listeners are gone: bind them again here. */
  connected: Event & { isReconnect: boolean; version: 1 | 2; terms: Terms | null };
  /** The connection ended, and its sockets with it, or an attempt failed. `retryInMs` is null if it is not tried again. */
  disconnected: Event & { error: WasmnetError; retryInMs: number | null };
  /** The node drains. Its sockets continue for a while, those of four such nodes at most; new ones use the next connection. */
  goaway: Event & { reconnectInMs: number; message: string };
  /** A socket of any kind is open. */
  socketopen: Event & { socket: Socket };
  /** A socket ended, or could not be opened; `socket.ending` has the reason. */
  socketclose: Event & { socket: Socket & { readonly ending: WasmnetError } };
  /** The node reports an error for a message that belongs to no socket. */
  error: Event & { error: WasmnetError };
}

export interface Target {
  hostname: string;
  port: number;
}

export interface OpeningOptions {
  /**
   * How long the opening may take, in ms, 1 to 2,147,483,647, including the connection to the node; then it fails with `connect_timeout`.
   * It does not affect an open socket. Default: the client's.
   */
  openTimeoutMs?: number | undefined;
  /** Aborting resets the socket at any time, open or not. To limit only the opening, use `openTimeoutMs`. */
  signal?: AbortSignal | undefined;
}

export interface OpenOptions extends OpeningOptions {
  /** Default "tcp". */
  transport?: "tcp" | "tls" | undefined;
  /** The same as transport "tls": the node does the TLS handshake, and sees the plain bytes. */
  tls?: boolean | undefined;
  /**
   * Keep `writable` open when the target has ended its side. Default false for opened connections: the connection ends once the
   * written data has been sent. Default true for accepted ones: the client may end first and wait for the answer.
   */
  allowHalfOpen?: boolean | undefined;
}

export interface ConnectionInfo {
  /** "" and 0 if the node does not send it. */
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
  alpn: string | null;
}

/** Streams for `for await`, which older TypeScript does not declare. */
export type Readable<T> = ReadableStream<T> & AsyncIterable<T> & {
  values(options?: { preventCancel?: boolean | undefined }): AsyncIterableIterator<T>;
};

/** A TCP or TLS connection as two streams. */
export declare class Connection {
  /**
   * Cancelling it, as leaving a `for await` loop does (except for `values({ preventCancel: true })`), ends the reading side: the node gets
   * no more credit, and later data is dropped. Once `writable` is closed too, the connection ends as soon as the written data is sent.
   */
  readonly readable: Readable<Uint8Array>;
  /**
   * Takes bytes and strings (UTF-8). A write resolves when the target has accepted the connection and the node has granted credit for the
   * bytes, and rejects when it is refused. Closing it half-closes; aborting it resets, and so does a write that fails.
   */
  readonly writable: WritableStream<Data>;
  readonly opened: Promise<ConnectionInfo>;
  /** Resolves at an orderly end; rejects with a WasmnetError at any other. */
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  /** Ends both directions; data written before is still sent. Resolves when the node has closed the socket. */
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
  /** Required if the socket has no peer, or for a target other than the peer. */
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}

/** A UDP socket as two streams of datagrams. The oldest unread ones are dropped, and counted in `socket.dropped`. */
export declare class DatagramConnection {
  /** Cancelling it, as leaving a `for await` loop does, ends the reading side; later data is dropped. */
  readonly readable: Readable<Datagram>;
  /**
   * A write waits until the socket is open and the WebSocket has room. The write of a datagram that cannot be sent (`message_too_large`:
   * over 65,507 bytes) rejects and, as with every WritableStream, is the last; reading goes on until `close`. Closing or aborting it closes
   * the socket. One that the node refuses is counted in `socket.dropped`, and reported to `socket.onerror`.
   */
  readonly writable: WritableStream<Data | DatagramToSend>;
  readonly opened: Promise<{ localPort: number }>;
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  close(): Promise<void>;
}

/** A bound port. Iterating accepts connections; leaving the loop closes it. */
export declare class Listener implements AsyncIterable<Connection> {
  readonly opened: Promise<{ localPort: number }>;
  readonly closed: Promise<{ code: ReasonCode; message: string }>;
  readonly socket: Socket;
  /** The next connection; null if the listener was closed. */
  accept(): Promise<Connection | null>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Connection>;
}

export type SocketKind = "tcp" | "tls" | "udp" | "listener" | "udp-listener";

export interface SocketListeners {
  onopen?: ((socket: Socket) => void) | null | undefined;
  /** The program calls `socket.consumed(chunk.length)` when it has read it. The chunk belongs to the program. */
  ondata?: ((chunk: Uint8Array, socket: Socket) => void) | null | undefined;
  ondatagram?: ((data: Uint8Array, addr: string, port: number) => void) | null | undefined;
  onaccept?: ((socket: Socket) => void) | null | undefined;
  /** The target has no more to send. */
  onend?: (() => void) | null | undefined;
  /** Called once, last of all, also if the socket could not be opened. Code "normal" or "client_closed" is not a failure. */
  onclosed?: ((error: WasmnetError) => void) | null | undefined;
  /** `sendable` was 0 and no longer is, or the socket ended. */
  onsendable?: ((socket: Socket) => void) | null | undefined;
  /** A datagram or a request was refused; the socket stays open. */
  onerror?: ((error: WasmnetError, socket: Socket) => void) | null | undefined;
}

/** One socket at the lowest level. Listeners that are set late are called with earlier events. */
export declare class Socket implements SocketListeners {
  private constructor();
  readonly id: number;
  readonly kind: SocketKind | "accepted";
  /** As requested; null for an accepted socket. */
  readonly host: string | null;
  readonly port: number;
  readonly state: "opening" | "open" | "closed";
  /** "ip:port" or "[ip6]:port"; null if the node does not send it. */
  readonly local: string | null;
  readonly remote: string | null;
  readonly alpn: string | null;
  /** For a listener or UDP socket. */
  readonly localPort: number;
  /** For an accepted socket. */
  readonly listener?: Socket;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /**
   * Datagrams lost in the client: the oldest unread ones beyond 256 KiB a socket (each counts for 128 bytes more than its size); and
   * those that could not be sent: larger than 65,507 bytes or than a message to the node, while the WebSocket was full, or refused by the node.
   */
  readonly dropped: number;
  readonly ending: WasmnetError | null;
  /** TCP or TLS, dialed or accepted. */
  readonly isStream: boolean;
  readonly isDatagram: boolean;
  /** No more can be sent: it was shut down, is being closed, or has ended. */
  readonly isShut: boolean;

  /** While true `ondata`, `ondatagram` and `onaccept` are not called; events wait, within their bound, and the ends wait behind data. */
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

  /** Bytes that `send` passes on at once: within the credit and the room of the WebSocket. */
  readonly sendable: number;
  /** Bytes passed to `send` that wait. */
  readonly queued: number;
  /**
   * TCP and TLS: accepts all of it; the part beyond `sendable` is copied and waits. UDP: one datagram of at most 65,507 bytes, which is
   * sent at once or, if `sendable` is 0, dropped and counted in `dropped`. Throws a WasmnetError if the socket has ended or was shut down,
   * and `message_too_large` for too large a datagram. Not for a listener or a UDP socket without a peer.
   */
  send(data: Data): void;
  /** UDP only. */
  sendTo(host: string, port: number, data: Data): void;
  /** This many bytes of those passed to `ondata` are read, at most all: the node may send as many more. No effect over v1. */
  consumed(count: number): void;
  /** A listener only: asks the node again for its port. */
  listen(backlog?: number): void;
  /** Half-close, after the sent data. Over v1 nothing is sent: v1 has no half-close. */
  shutdown(): void;
  /** Ends it after the sent data. `onclosed` follows when the node has done so. */
  close(): void;
  /** Ends it now, dropping unsent data; `onclosed` is called before this returns. */
  reset(): void;
}

/** Every call checks its arguments: an invalid one is a WasmnetError with `invalid_argument`, thrown, or the promise's rejection. */
export declare class WasmnetClient extends EventTarget {
  /** @param url absolute, `ws://` or `wss://`, without a fragment */
  constructor(url: string | URL, options?: ClientOptions);

  // Numbers and callbacks.

  /**
   * Resolves when a node has admitted the client. Rejects after `openTimeoutMs`, with the reason, and at once if it is not tried again:
   * `not_admitted`, `policy_denied`, `denylisted`, `invalid_argument`, or without `reconnect`.
   */
  ready(): Promise<void>;
  connect(addr: string, port: number): Promise<number>;
  connectTls(addr: string, port: number): Promise<number>;
  connectUdp(addr: string, port: number): Promise<{ id: number; port: number }>;
  /** Listens for TCP at once; with port 0 the node chooses. `addr` is an IP literal. */
  bind(addr: string, port: number): Promise<{ id: number; port: number }>;
  /** A UDP socket that accepts datagrams from any address; needs a node that supports it. */
  bindUdp(addr: string, port: number): Promise<{ id: number; port: number }>;
  listen(id: number, backlog?: number): void;
  /**
   * A string is one byte a character (up to U+00FF), and UTF-8 with `{binary: true}`. Unknown or closed ids are
   * ignored. Throws `message_too_large` for a datagram that cannot be sent.
   */
  send(id: number, data: Data): void;
  sendTo(id: number, addr: string, port: number, data: Data): void;
  resolve(name: string, options?: OpeningOptions): Promise<string[]>;
  /** The socket's callbacks are no longer called. */
  close(id: number): void;
  onData(id: number, callback: (data: Uint8Array) => void): void;
  onDataFrom(id: number, callback: (data: Uint8Array, addr: string, port: number) => void): void;
  onClose(id: number, callback: (reason: WasmnetError) => void): void;
  onAccept(id: number, callback: (connId: number, remote: string) => void): void;
  /** Ends every socket and the connection, permanently. */
  disconnect(): void;

  // Streams.

  open(target: Target | string, options?: OpenOptions): Connection;
  listenOn(local: Target | string, options?: OpeningOptions & { allowHalfOpen?: boolean | undefined }): Listener;
  openUdp(target: Target | string, options?: OpeningOptions): DatagramConnection;
  listenUdp(local: Target | string, options?: OpeningOptions): DatagramConnection;

  // The lowest level.

  /** Opens at once and can be used at once; sent data waits until it can be sent. */
  socket(kind: SocketKind, host: string, port: number, listeners?: SocketListeners, options?: { openTimeoutMs?: number | undefined }): Socket;
  /** Every socket that is open or being opened, at any level. */
  readonly openSockets: Socket[];
  /** Sockets of the calls by number. */
  readonly sockets: Map<number, Socket>;
  /** The WebSocket in use or being opened. */
  readonly ws: WebSocket | null;
  /** The protocol version in use; 0 without a connection. */
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

// Types of the WASI bridge.

import type { ClientOptions, ReasonCode, SocketKind, WasmnetClient } from "../wasmnet-client.js";

/** How a program waits: with JavaScript Promise Integration, or with Atomics.wait in a cross-origin isolated page. */
export type Strategy = "jspi" | "sab";

export interface Listener {
  /** The node's IP address to listen on. Default 127.0.0.1. */
  host?: string | undefined;
  /** Default 0: the node chooses one that the policy allows. */
  port?: number | undefined;
  /** Connections that may wait to be accepted, 1 to 128. Default 128. */
  backlog?: number | undefined;
  /** Whether accept returns EAGAIN instead of waiting. Default: true for modules of Go. */
  nonblocking?: boolean | undefined;
}

export interface OpenListener {
  host: string;
  port: number;
  /** The program's descriptor. */
  fd: number;
}

/** A refusal by the node, for which the program gets only an errno. */
export interface Refusal {
  code: ReasonCode;
  /** The node's words, or the client's if there is no node. */
  message: string;
  kind: SocketKind | "accepted" | "lookup";
  /** "host:port"; for a lookup the name. */
  destination: string;
  /** All of it in one line, with possible remedies. */
  text: string;
}

/**
 * Called once for each refusal by policy, denylist, limits or admission, and for the loss of a node; not for errors that a program can meet
 * on any machine, such as `refused` and `name_not_found`. At most 100 times a program.
 */
export type OnRefused = (refusal: Refusal) => void;

export type Source = string | URL | Response | BufferSource | WebAssembly.Module;
/** When run() ends, a stream that has not ended is cancelled and unlocked, and an iterator's return() is called. */
export type Input = string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>;
/**
 * A program waits while 256 KiB are pending: until the function has returned, its promise has settled, or the stream has accepted them. What the
 * function throws, or rejects with, is reported as an uncaught exception, and the program goes on; the same applies to onlisten, onrefused and
 * an iterator's return(). A stream is locked until run() ends, and not closed; if it fails, the program goes on without it.
 */
export type Output = ((bytes: Uint8Array) => void | PromiseLike<unknown>) | WritableStream<Uint8Array>;

export interface RunOptions {
  /** The node. One of `url` and `client` is needed. */
  url?: string | undefined;
  /** A client to share. Under JSPI the program then runs in this thread. */
  client?: WasmnetClient | undefined;
  /** Options of the client created from `url`. In a Worker they are plain values: `token` is a string. */
  clientOptions?: ClientOptions | undefined;
  /** The program's name first. */
  args?: string[] | undefined;
  env?: Record<string, string> | undefined;
  /** Default: end of file. */
  stdin?: Input | undefined;
  /** Default: kept and returned, 16 MiB at most. */
  stdout?: Output | undefined;
  stderr?: Output | undefined;
  listen?: Listener[] | undefined;
  /** Called once, before the program starts, when there are listeners. */
  onlisten?: ((listeners: OpenListener[]) => void) | undefined;
  /** Receives refusals by the node, in words. Default: a line `wasmnet: …` on the program's stderr. */
  onrefused?: OnRefused | undefined;
  /** Default "auto": JSPI, else shared memory, else NoStrategy is thrown. */
  strategy?: "auto" | Strategy | undefined;
  /** Runs the program in its own Worker. Default: in a page, with `url`; always under "sab". */
  worker?: boolean | undefined;
  /** The URL of this package's wasi/worker.js, of any origin; a relative one is the page's. Default: beside the module with run(), which a bundle lacks. */
  workerUrl?: string | URL | undefined;
  /** Ends the program, or the download of its module unless that is a Response; run() rejects with the signal's reason at once. */
  signal?: AbortSignal | undefined;
  /** The result of isatty for the standard streams. Default false. */
  isTerminal?: boolean | undefined;
  /** More modules to import from. JSPI with `worker: false` only. */
  imports?: WebAssembly.Imports | undefined;
  /** Writes each call and its result to stderr. Default false. */
  trace?: boolean | undefined;
}

export interface RunResult {
  exitCode: number;
  /** The output, if no `stdout` received it; else "". */
  stdout: string;
  stderr: string;
}

/**
 * Runs a command module to its end. Rejects if it traps, cannot be linked (MissingImports), or a listener is refused (ListenError,
 * whose message has the reason). An invalid option is a WasmnetError with `invalid_argument`, here and in every call of the bridge.
 */
export function run(source: Source, options: RunOptions): Promise<RunResult>;

export function compile(source: Source): Promise<WebAssembly.Module>;
/** The strategy that run() uses here. Throws NoStrategy, which names the missing feature. */
export function pickStrategy(wanted?: "auto" | Strategy): Strategy;
export function hasJspi(): boolean;
export function hasSharedMemory(): boolean;

export interface WrapOptions {
  /** Under JSPI a client; under "sab", in a Worker, the `link` of a GuestService. */
  client: WasmnetClient | GuestLink;
  /** Default: the memory that the instance exports, from start() on. */
  memory?: WebAssembly.Memory | (() => WebAssembly.Memory) | undefined;
  strategy?: "auto" | Strategy | undefined;
  /** The lowest descriptor of a socket that the program opens. Default 512. */
  firstFd?: number | undefined;
  /** The descriptor of the first listener. Default 3. */
  listenerFd?: number | undefined;
  /** Receives refusals by the node, in words. Default: none. Under "sab" it is shareClient()'s. */
  onrefused?: OnRefused | undefined;
}

export interface WrappedImports {
  readonly imports: WebAssembly.Imports;
  /** Throws MissingImports. */
  check(module: WebAssembly.Module): void;
  /** Before start(). */
  listen(listeners: Listener[]): Promise<OpenListener[]>;
  /** Calls an export, "_start" by default. Rejects with the exception of the shim's proc_exit. */
  start(instance: WebAssembly.Instance, name?: string, ...args: unknown[]): Promise<unknown>;
  /** Closes the program's sockets. */
  close(): void;
}

/** Sockets over another preview1 shim's imports. */
export function wrapImports(imports: WebAssembly.Imports, options: WrapOptions): WrappedImports;

export interface GuestLink {
  requests: SharedArrayBuffer;
  events: SharedArrayBuffer;
  /** Absent if the client's thread waits with Atomics.waitAsync. */
  port: MessagePort | null;
}

export interface GuestService {
  readonly link: GuestLink;
  readonly transfer: Transferable[];
  /** The program has ended: its sent data goes out, then its sockets are closed. */
  finish(): Promise<void>;
  /** Drops the program's sockets at once. */
  close(): void;
}

/** Lends a client to a program in a Worker, under "sab". */
export function shareClient(client: WasmnetClient, options?: { onrefused?: OnRefused | undefined }): GuestService;

export { emscriptenWebSocket, type EmscriptenOptions } from "./emscripten.js";

/** wasi:sockets 0.2 and the parts of wasi:io that it needs, by interface name without version. */
export function socketInterfaces(client: WasmnetClient): Record<string, Record<string, unknown>>;

export class MissingImports extends Error {
  /** "module.name" of each missing import. */
  names: string[];
}

export class NoStrategy extends Error {}

export class ListenError extends Error {
  /** A WASI errno. */
  errno: number;
}

/** WASI preview1 errno by name. */
export const Errno: Readonly<Record<string, number>>;
/** [wire code, its word, errno] */
export const codeTable: ReadonlyArray<readonly [number, string, number]>;
export function errnoOf(word: string, wasConnected: boolean): number;

// Types of emscripten.js.

import type { WasmnetClient } from "../wasmnet-client.js";
import type { OnRefused } from "./index.js";

export interface EmscriptenOptions {
  /** Bytes of a socket that may wait for the node before the program's send() returns EAGAIN. Default: no bound. See the README. */
  sendBuffer?: number | undefined;
  /** Selects the destinations that use UDP; SOCKFS does not. Default: none. */
  isDatagram?: ((host: string, port: number) => boolean) | undefined;
  /** Receives refusals by the node, in words; SOCKFS has one errno for them. Default: none. */
  onrefused?: OnRefused | undefined;
  /** The class for other WebSockets. Default: the global one. */
  Native?: typeof WebSocket | undefined;
}

/** A class for `globalThis.WebSocket`: SOCKFS's WebSockets become sockets, the others use the browser's class. */
export function emscriptenWebSocket(client: WasmnetClient, options?: EmscriptenOptions): typeof WebSocket;

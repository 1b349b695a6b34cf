// Types of emscripten.js.

import type { WasmnetClient } from "../wasmnet-client.js";
import type { OnRefused } from "./index.js";

export interface EmscriptenOptions {
  /** Bytes of a socket that may wait for the node before the program's send() is told EAGAIN. Default: no bound. See the README. */
  sendBuffer?: number | undefined;
  /** Which destinations are UDP; SOCKFS does not say. Default: none. */
  isDatagram?: ((host: string, port: number) => boolean) | undefined;
  /** Told what the node refused, in words; SOCKFS has one errno for it. Default: nobody. */
  onrefused?: OnRefused | undefined;
  /** What other WebSockets are made of. Default: the one there is. */
  Native?: typeof WebSocket | undefined;
}

/** A class for `globalThis.WebSocket`: what SOCKFS opens becomes a socket, the rest the browser's own. */
export function emscriptenWebSocket(client: WasmnetClient, options?: EmscriptenOptions): typeof WebSocket;

import type { WasmnetClient } from "../wasmnet-client.js";
import type { EmscriptenOptions } from "./emscripten.js";

/**
 * Modules that require("ws") from now on, as Emscripten's programs in Node do, get a class whose connections are sockets of `client`.
 * Returns a function that undoes this.
 */
export function replaceWs(client: WasmnetClient, options?: Omit<EmscriptenOptions, "Native">): () => void;

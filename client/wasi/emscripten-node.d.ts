import type { WasmnetClient } from "../wasmnet-client.js";
import type { EmscriptenOptions } from "./emscripten.js";

/**
 * Gives modules that require("ws") from now on, as Emscripten's programs in Node do, a class whose connections are sockets of `client`.
 * Returns a function that takes it back.
 */
export function replaceWs(client: WasmnetClient, options?: Omit<EmscriptenOptions, "Native">): () => void;

// Modules from any source that a page has, and errors for invalid sources.

import { checkUrl } from "./arguments.js";

/** Compiles a WebAssembly.Module from a module, its bytes, a Response or a URL. */
export const compile = (source) => compileUntil(undefined, source);

/** The same; an abort of `signal` ends the download, unless it is a Response: that is its owner's. */
export async function compileUntil(signal, source) {
  // By tag, not by instanceof: objects from another frame have other classes.
  const kind = Object.prototype.toString.call(source);
  if (kind === "[object WebAssembly.Module]") return source;
  if (kind === "[object ArrayBuffer]" || kind === "[object SharedArrayBuffer]" || ArrayBuffer.isView(source)) return compileBytes(source, "this");
  const isResponse = kind === "[object Response]";
  if (!isResponse && kind !== "[object Request]") checkUrl("the program", source, "a URL, a Response, bytes or a WebAssembly.Module");
  // A request has its own signal too, which this option would replace.
  if (signal && kind === "[object Request]") signal = AbortSignal.any?.([signal, source.signal]) ?? signal;
  const response = isResponse ? source : await fetch(source, { signal });
  if (!response.ok) throw new Error(`${response.url}: HTTP status ${response.status}`);
  if (response.headers.get("content-type")?.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return compileBytes(await response.arrayBuffer(), `${response.url || "the response"}, which is ${response.headers.get("content-type") ?? "of no type"},`);
}

/** `name` describes these bytes in an error. */
export async function compileBytes(source, name) {
  const bytes = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
  const [magic, version] = [bytes.subarray(0, 4), bytes.subarray(4, 8)].map(String);
  if (magic !== "0,97,115,109") throw new WebAssembly.CompileError(`${name} is not WebAssembly: it does not begin with \\0asm`);
  if (version === "13,0,1,0") throw new WebAssembly.CompileError(`${name} is a WebAssembly component; a core module is needed: jco transpiles components`);
  return WebAssembly.compile(source);
}

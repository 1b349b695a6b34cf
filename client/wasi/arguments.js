// A page's arguments to the bridge are checked when they are passed: the same error, and the same words, as the client's.

import { check, optionsOf, portOf, publicUrl, signalOf, urlOf } from "../lib/check.js";
import { parseAddress } from "./address.js";

const isStream = (value, method) => typeof value?.[method] === "function";

/** What this page's relative URLs are relative to. */
export const pageUrl = () => globalThis.document?.baseURI ?? globalThis.location?.href;

/** Throws unless `value` is a URL; a relative one needs a page, or `base`. */
export function checkUrl(name, value, words, base) {
  const isText = typeof value === "string";
  if (value && (isText || Object.prototype.toString.call(value) === "[object URL]")) {
    try {
      return void new URL(value, pageUrl() ?? base);
    } catch {
      // Not a URL.
    }
  }
  return void check(name, value, [], words, isText ? JSON.stringify(publicUrl(value).slice(0, 80)) : typeof value);
}

/** `value`, which is one of `words` or absent. */
function given(name, value, isRight, words) {
  if (value !== undefined && !isRight(value)) check(name, value, [], words);
}

export const clientOf = (client) => given("client", client ?? null, (value) => isStream(value, "socket"), "a WasmnetClient");

function textsOf(name, texts) {
  given(name, texts, Array.isArray, "an array of strings");
  texts?.forEach((text, i) => check(`${name}[${i}]`, text, /^[^\0]*$/, "a string without NUL"));
}

export function listenersOf(listeners, name = "listen") {
  given(name, listeners, Array.isArray, "an array of { host, port, backlog, nonblocking }");
  for (const listener of listeners ?? []) {
    const { host = "127.0.0.1", port = 0, backlog = 128, nonblocking } = optionsOf(listener, `each of ${name}`);
    given("a listener's host", host, (value) => typeof value === "string" && parseAddress(value), "an IP address");
    portOf(port, 0);
    check("backlog", backlog, [1, 128]);
    check("nonblocking", nonblocking, "boolean");
  }
}

/** Throws if an option of run() is invalid. */
export function checkRunOptions(options) {
  const { url, client, clientOptions, args, env, stdin, stdout, stderr, listen, signal, workerUrl, imports } = optionsOf(options);
  check("of url and client", Number(url === undefined) + Number(client === undefined), [1, 1], "exactly one given", url === undefined ? "none" : "both");
  if (client === undefined) urlOf(url);
  else clientOf(client);
  if (clientOptions !== undefined) optionsOf(clientOptions, "clientOptions");
  if (imports !== undefined) optionsOf(imports, "imports");
  textsOf("args", args);
  for (const [name, value] of Object.entries(optionsOf(env, "env", "an object of names and values"))) {
    check("a name in env", name, /^[^\0=]+$/, "a string without = and NUL");
    check(`env.${name}`, value, /^[^\0]*$/, "a string without NUL", typeof value);
  }
  given("stdin", stdin ?? undefined, (value) => !value.locked, "a stream that is not locked");
  given("stdin", stdin ?? undefined, (value) => typeof value === "string" || ArrayBuffer.isView(value) || isStream(value, "getReader")
    || isStream(value, Symbol.asyncIterator), "a string, bytes, a ReadableStream or an async iterable");
  for (const [name, value] of Object.entries({ stdout, stderr })) {
    given(name, value ?? undefined, (output) => !output.locked, "a stream that is not locked");
    given(name, value ?? undefined, (output) => typeof output === "function" || isStream(output, "getWriter"), "a function or a WritableStream");
  }
  listenersOf(listen);
  signalOf(signal);
  for (const name of ["onlisten", "onrefused"]) check(name, options[name], "function");
  for (const name of ["worker", "isTerminal", "trace"]) check(name, options[name], "boolean");
  // Node has no page, and no use for it.
  if (workerUrl !== undefined) checkUrl("workerUrl", workerUrl, "a URL", "http://page/");
}

/** Throws if an option of wrapImports() is invalid. */
export function checkWrapOptions(imports, options) {
  optionsOf(imports, "imports");
  const { client, memory, firstFd = 0, listenerFd = 0, onrefused } = optionsOf(options);
  // A link of shareClient(), or a client.
  if (client?.requests === undefined) clientOf(client);
  given("memory", memory ?? undefined, (value) => typeof value === "function" || value.buffer !== undefined, "a WebAssembly.Memory or a function that returns one");
  for (const [name, fd] of Object.entries({ firstFd, listenerFd })) check(name, fd, [0, 2 ** 31 - 1]);
  check("onrefused", onrefused, "function");
}

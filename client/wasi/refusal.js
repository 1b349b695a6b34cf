// The node's refusals, in words: an errno alone does not give the reason, nor who can change it.

import { callBack } from "./callback.js";

/** Errors that a program can meet on any machine: their errno is enough. */
const native = new Set([
  "normal", "client_closed", "target_reset", "target_timeout", "refused", "unreachable", "connect_timeout", "name_not_found", "tls_failed",
  "address_in_use", "message_too_large",
]);

/** The maximum number reported for one program: a program that keeps trying would fill its stderr. */
const most = 100;

const advice = (isBound) => (isBound
  ? " To let programs listen, the node's operator sets bind_ports and bind_addresses in [network] of its policy."
  : " To let programs reach it, the node's operator adds it to allow in [network] of its policy.");

/** A client without admission or node gets the same refusal for every destination: it is reported once, and its message has the remedy. */
function wordsOf(kind, destination, { code, message }, isIn) {
  const said = `${isIn && !message.startsWith(destination) ? `${destination}: ` : ""}${message}${message.endsWith(".") ? "" : "."}`;
  return `${said}${isIn && code === "policy_denied" ? advice(kind.endsWith("listener")) : ""} (${code})`;
}

/** Reports each refusal once to `onrefused`: `{ code, message, kind, destination, text }`. */
export class RefusalTeller {
  #onrefused;
  #told = new Set();

  constructor(onrefused) {
    this.#onrefused = onrefused;
  }

  /**
   * @param kind a socket's, or "lookup", which has no port
   * @param client the source of the refusal
   */
  tell(kind, host, port, error, client) {
    if (!this.#onrefused || native.has(error.code) || this.#told.size >= most) return;
    const shown = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const destination = kind === "lookup" ? host : `${shown}:${port}`;
    const text = wordsOf(kind, destination, error, error.code === "invalid_argument" || client.version > 0);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    // The socket's own events follow, whatever this throws.
    callBack(this.#onrefused, { code: error.code, message: error.message, kind, destination, text });
  }
}

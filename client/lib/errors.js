// Why a socket or a session ended or was refused.

/** By the number of the first code. */
const WORDS = {
  0: "normal client_closed target_reset target_timeout",
  16: "policy_denied denylisted max_connections connect_rate byte_quota max_sessions not_admitted",
  32: "refused unreachable connect_timeout name_not_found tls_failed address_in_use",
  48: "protocol_error unknown_socket duplicate_id message_too_large too_slow",
  64: "draining overloaded internal",
  256: "connection_lost invalid_argument",
};

/** The protocol's codes, by word. The last two are this client's own and are never sent. */
export const codes = {};
for (const first in WORDS) WORDS[first].split(" ").forEach((word, i) => { codes[word] = +first + i; });
Object.freeze(codes);

/** The word for a number or word from the node. An unknown one is treated as `internal`. */
export const wordOf = (code) => Object.keys(codes).find((word) => [word, codes[word]].includes(code) && codes[word] < 256) ?? "internal";

export class WasmnetError extends Error {
  /**
   * @param {string} code a word of `codes`
   * @param {string} [message]
   * @param {number} [retryAfterMs] when it may work again; 0 if waiting does not help
   */
  constructor(code, message, retryAfterMs = 0) {
    super(message || code);
    this.name = "WasmnetError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An operation that timed out. */
export const late = (what, ms) => new WasmnetError("connect_timeout", `${what} within ${ms} ms`);

/** Ends that are not failures. */
export const isOrderly = (error) => codes[error.code] < 2;

/** Calls a program's listener; an exception is reported as a browser does, and has no effect here. */
export function call(listener, ...values) {
  try {
    listener?.(...values);
  } catch (error) {
    if (globalThis.reportError) globalThis.reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

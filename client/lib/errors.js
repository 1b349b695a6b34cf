// Why a socket or a session ended or was refused.

/** The codes of the wire, by word. The last three are this client's own and never travel. */
export const codes = Object.freeze({
  normal: 0, client_closed: 1, target_reset: 2, target_timeout: 3,
  policy_denied: 16, denylisted: 17, max_connections: 18, connect_rate: 19, byte_quota: 20, max_sessions: 21,
  not_admitted: 22,
  refused: 32, unreachable: 33, connect_timeout: 34, name_not_found: 35, tls_failed: 36, address_in_use: 37,
  protocol_error: 48, unknown_socket: 49, duplicate_id: 50, message_too_large: 51, too_slow: 52,
  draining: 64, overloaded: 65, internal: 66,
  connection_lost: 256, aborted: 257, invalid_argument: 258,
});

const words = new Map(Object.entries(codes).flatMap(([word, number]) => (number < 256 ? [[number, word], [word, word]] : [])));

/** The word of a number or a word of the wire. One that this client does not know yet is as good as `internal`. */
export const wordOf = (code) => words.get(code) ?? "internal";

export class WasmnetError extends Error {
  /**
   * @param {string} code a word of `codes`
   * @param {string} [message]
   * @param {number} [retryAfterMs] when it may work again; 0 when waiting does not help
   */
  constructor(code, message, retryAfterMs = 0) {
    super(message || code);
    this.name = "WasmnetError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What did not happen within the time it had. */
export const late = (what, ms) => new WasmnetError("connect_timeout", `${what} within ${ms} ms`);

/** Ends that are nobody's fault. */
export const isOrderly = (error) => error.code === "normal" || error.code === "client_closed";

/** Calls a program's listener; what it throws is reported as a browser does, and disturbs nothing here. */
export function call(listener, ...values) {
  try {
    listener?.(...values);
  } catch (error) {
    if (globalThis.reportError) globalThis.reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

// What the node refused a program, in words: an errno alone does not say why, and who can change it.

/** What a program meets so on any machine: its errno says it all. */
const native = new Set([
  "normal", "client_closed", "target_reset", "target_timeout", "refused", "unreachable", "connect_timeout", "name_not_found", "tls_failed",
  "address_in_use", "message_too_large",
]);

/** The most that are told of one program: one that goes on trying would fill its stderr. */
const most = 100;

const advice = (isBound) => (isBound
  ? " To let programs listen, the node's operator sets bind_ports and bind_addresses in [network] of its policy."
  : " To let programs reach it, the node's operator adds it to allow in [network] of its policy.");

/** Who was not let in, or has no node, was told so of every destination: that is one refusal, and its message says what to do. */
function wordsOf(kind, destination, { code, message }, isIn) {
  const said = `${isIn ? `${destination}: ` : ""}${message}${message.endsWith(".") ? "" : "."}`;
  return `${said}${isIn && code === "policy_denied" ? advice(kind.endsWith("listener")) : ""} (${code})`;
}

/** Tells `onrefused` of each refusal once: `{ code, message, kind, destination, text }`. */
export class RefusalTeller {
  #onrefused;
  #told = new Set();

  constructor(onrefused) {
    this.#onrefused = onrefused;
  }

  /**
   * @param kind a socket's, or "lookup", which has no port
   * @param client where the refusal comes from
   */
  tell(kind, host, port, error, client) {
    if (!this.#onrefused || native.has(error.code) || this.#told.size >= most) return;
    const shown = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const destination = kind === "lookup" ? host : `${shown}:${port}`;
    const text = wordsOf(kind, destination, error, error.code === "invalid_argument" || client.version > 0);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#onrefused({ code: error.code, message: error.message, kind, destination, text });
  }
}

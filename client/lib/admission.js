// The token and versions offered in the handshake, and words for why a node did not admit a client.

import { toBase64, utf8 } from "./bytes.js";
import { publicUrl } from "./check.js";
import { WasmnetError, codes } from "./errors.js";

/** The subprotocol that carries a token: only a token of RFC 9110, section 5.6.2, can be its name; any other is in base64url. */
export const bearer = (token) => (/^[\w!#$%&'*+.^`|~-]+$/.test(token)
  ? `wasmnet.bearer.${token}`
  : `wasmnet.bearer64.${toBase64(utf8(token)).replace(/=/g, "").replace(/\+/g, "-").replace(/\//g, "_")}`);

/** By close code, and by HTTP status if it is known. */
const WORDS = {
  1001: "draining", 1002: "protocol_error", 1008: "not_admitted", 1009: "message_too_large", 1013: "overloaded",
  401: "not_admitted", 403: "policy_denied", 429: "connect_rate", 503: "draining",
};
const REASONS = {
  not_admitted: "it needs a valid token, as the option token",
  policy_denied: `it takes nobody from ${globalThis.origin ?? "here"}; its operator may add this origin to allowed_origins`,
  denylisted: "its operator denied this client",
};

/** Why an open WebSocket ended, or none was opened: `seen` is what Node's WebSocket reports about a handshake; a page's reports nothing. */
export function endOf(url, wasUp, { code, reason }, seen) {
  const known = WORDS[code] ?? WORDS[/response: (\d+)/.exec(seen)?.[1]];
  const word = known && codes[reason] < 256 ? reason : known;
  const why = REASONS[word] ?? (word ? `${word}, ${wasUp ? reason : "try again later"}` : seen || "it is down or cut off");
  return new WasmnetError(word ?? "connection_lost",
    `the node at ${publicUrl(url)} ${wasUp ? "ended the connection" : word ? "did not let this client in" : "cannot be reached"}: ${why}`);
}

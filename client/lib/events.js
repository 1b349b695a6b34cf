// What a node may say: every field of every event has its type, range and size. A node that breaks this is broken or hostile, and its session ends.

import { fits } from "./check.js";
import { WasmnetError } from "./errors.js";

/** Ids from here on are the node's, for what it accepts; the client's are below. */
export const FIRST_NODE_ID = 2 ** 52;

/** The largest message with data, and the largest other one, in bytes (text: in UTF-16 units). */
const MOST_MESSAGE = 24 << 20;
const MOST_OTHER = 256 << 10;

const MOST_ADDRESSES = 4096;
const DAY = 86400000;
const U32 = 2 ** 32 - 1;

/** By field: the most characters of a string, or the range of a whole number. These may be missing. */
const OPTIONAL = { local: 128, remote: 128, alpn: 255, message: 4096, retryAfterMs: [0, U32] };
export const FIELDS = {
  ...OPTIONAL,
  id: [0, 2 ** 53 - 1], connId: [1, 2 ** 53 - 1], port: [0, 65535], addr: 64, bytes: [1, U32], reconnectInMs: [0, DAY],
  // Of `hello`. The longest request that is no data must fit a message; a window is what a socket that is not read leaves in memory.
  version: 256, node: 256, session: 256, window: [1, 16 << 20], max_message: [2048, U32], max_sockets: [1, U32], heartbeat_ms: [1, DAY],
};

/** By kind of socket: its events, with the state that each needs. */
const ANY = { closed: "", error: "", denied: "" };
const STREAM = { ...ANY, connected: "opening", data: "open", end: "open", window: "" };
const DATAGRAMS = { ...ANY, udp_bound: "opening", data_from: "open" };
const LISTENER = { ...ANY, listening: "", accepted: "open" };

export const violation = (what) => new WasmnetError("protocol_error", `the node broke the protocol: ${what}`);

/** @returns what a message says, or null where its type is not known; throws what the session ends with. */
export function readEvent(codec, data) {
  const size = data.byteLength ?? data.length;
  let event;
  try {
    event = size <= MOST_MESSAGE ? codec.decode(data) : null;
  } catch {
    throw violation("a message that cannot be read");
  }
  const ev = event?.ev;
  // Of these there are many, and in the binary form nothing else is to be checked.
  if (ev === "data" && data.byteLength && fits(event.id, FIELDS.id)) return event;
  if (size > MOST_OTHER && ev !== "data") throw violation(`a message of ${size} bytes`);
  for (const field in event) {
    const rule = FIELDS[field];
    const value = event[field];
    if (rule && !fits(value, rule) && !(OPTIONAL[field] && value == null)) throw violation(`${field} of ${ev}: ${String(value).slice(0, 40)}`);
  }
  if (ev === "resolved" && !(event.addrs?.length <= MOST_ADDRESSES && event.addrs.every?.((address) => fits(address, FIELDS.addr)))) {
    throw violation(`addrs of ${ev}`);
  }
  return event;
}

/** Throws where a socket of this kind cannot have the event, or not in this state. */
export function checkState(ev, { kind, isDatagram, isStream }, state) {
  if (![state, ""].includes((isStream ? STREAM : isDatagram ? DATAGRAMS : LISTENER)[ev])) throw violation(`${ev} for a socket (${kind}) that is ${state}`);
}

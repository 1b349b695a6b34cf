// The events that a node may send: every field has its type, range and size. A node that violates this is broken: its session ends.

import { check } from "./check.js";
import { WasmnetError } from "./errors.js";

/** Ids from here on belong to the node, for accepted sockets; the client's are below. */
export const FIRST_NODE_ID = 2 ** 52;

/** The largest message with data, and the largest other one, in bytes (text: in UTF-16 units). */
const MOST_MESSAGE = 24 << 20;
const MOST_OTHER = 256 << 10;

const MOST_ADDRESSES = 4096;
const DAY = 86400000;
const U32 = 2 ** 32 - 1;

/** By field: the maximum length of a string, or the range of a whole number. These are optional. */
const OPTIONAL = { local: 128, remote: 128, alpn: 255, message: 4096, retryAfterMs: [0, U32] };
export const FIELDS = {
  ...OPTIONAL,
  id: [0, 2 ** 53 - 1], connId: [1, 2 ** 53 - 1], port: [0, 65535], addr: 64, bytes: [1, U32], reconnectInMs: [0, DAY],
  // Of `hello`. The longest request without data must fit into a message; a window is the memory that an unread socket takes.
  version: 256, node: 256, session: 256, window: [1, 16 << 20], max_message: [2048, U32], max_sockets: [1, U32], heartbeat_ms: [1, DAY],
};

/** By kind of socket: its events, with the state that each requires. */
const ANY = { closed: "", error: "", denied: "" };
const STREAM = { ...ANY, connected: "opening", data: "open", end: "open", window: "" };
const DATAGRAMS = { ...ANY, udp_bound: "opening", data_from: "open" };
const LISTENER = { ...ANY, listening: "", accepted: "open" };

export const violation = (what) => new WasmnetError("protocol_error", `the node broke the protocol: ${what}`);

/** Whether a message is data: as text, one string and little else. */
const isData = (message) => (message.byteLength ? new Uint8Array(message)[0] === 0x82 : /^{"ev": ?"data".{0,99}"[^"]*".{0,99}$/s.test(message));

/** @returns the event of a message, or null for an unknown type; throws the error with which the session ends. */
export function readEvent(codec, data) {
  try {
    const size = data.byteLength ?? data.length;
    // Before it is decoded, which takes long for many values.
    check("size", size, [0, size > MOST_OTHER && isData(data) ? MOST_MESSAGE : MOST_OTHER]);
    const event = codec.decode(data);
    const ev = event?.ev;
    for (const field in event) {
      const rule = FIELDS[field];
      const value = event[field];
      if (rule && !(OPTIONAL[field] && value == null)) check(`${field} of ${ev}`, value, rule);
    }
    if (ev === "resolved") {
      check("addrs.length", event.addrs.length, [0, MOST_ADDRESSES]);
      event.addrs.forEach((address) => check("addr", address, FIELDS.addr));
    }
    return event;
  } catch ({ message }) {
    // Whatever reading it throws: the message is at fault.
    throw violation(message.slice(0, 80));
  }
}

/** Throws if a socket of this kind cannot have the event, or not in this state. */
export function checkState(ev, { kind, isDatagram, isStream }, state) {
  if (![state, ""].includes((isStream ? STREAM : isDatagram ? DATAGRAMS : LISTENER)[ev])) throw violation(`${ev} for a ${kind} that is ${state}`);
}

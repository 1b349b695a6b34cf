// The values of wasi:sockets 0.2 as jco passes them: enums are strings, variants { tag, val }, tuples arrays, u64 bigints; an error is
// thrown as its value, and a thrown Error traps the component.

import { Errno } from "./errno.js";
import { formatAddress } from "./address.js";
import { AGAIN } from "./table.js";

const words = new Map([
  [Errno.ACCES, "access-denied"], [Errno.ADDRINUSE, "address-in-use"], [Errno.ADDRNOTAVAIL, "address-not-bindable"],
  [Errno.CONNREFUSED, "connection-refused"], [Errno.CONNRESET, "connection-reset"], [Errno.CONNABORTED, "connection-aborted"],
  [Errno.TIMEDOUT, "timeout"], [Errno.HOSTUNREACH, "remote-unreachable"], [Errno.NETDOWN, "remote-unreachable"],
  [Errno.NETUNREACH, "remote-unreachable"], [Errno.MSGSIZE, "datagram-too-large"], [Errno.MFILE, "new-socket-limit"],
  [Errno.NOBUFS, "out-of-memory"], [Errno.INVAL, "invalid-state"], [Errno.ISCONN, "invalid-state"], [Errno.NOTCONN, "invalid-state"],
  [Errno.AFNOSUPPORT, "not-supported"], [Errno.NOTSUP, "not-supported"],
]);

/** The interfaces' error-code for a negated errno or AGAIN. */
export const errorCode = (result) => (result === AGAIN ? "would-block" : words.get(-result) ?? "unknown");

/** Throws the error-code if the result is an error. */
export function check(result) {
  if (result < 0) throw errorCode(result);
  return result;
}

/** Throws `code` unless `condition` holds. */
export function must(condition, code) {
  if (!condition) throw code;
}

/** An ip-socket-address as { host, bytes, port }. */
export function fromSocketAddress({ tag, val }) {
  const bytes = tag === "ipv4" ? Uint8Array.from(val.address) : Uint8Array.from(val.address.flatMap((group) => [group >> 8, group & 255]));
  return { bytes, host: formatAddress(bytes), port: val.port };
}

export function toIpAddress(bytes) {
  if (bytes.length === 4) return { tag: "ipv4", val: [...bytes] };
  return { tag: "ipv6", val: Array.from({ length: 8 }, (_, i) => (bytes[i * 2] << 8) | bytes[i * 2 + 1]) };
}

export function toSocketAddress({ bytes, port }) {
  const { tag, val: address } = toIpAddress(bytes);
  return { tag, val: tag === "ipv4" ? { port, address } : { port, flowInfo: 0, address, scopeId: 0 } };
}

/** Whether `bytes` is an IPv4-mapped IPv6 address: sockets of 0.2 have one family only. */
const isMapped = (bytes) => bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
const isMulticast = (bytes) => (bytes.length === 4 ? bytes[0] >= 224 && bytes[0] < 240 : bytes[0] === 255);
const isBroadcast = (bytes) => bytes.length === 4 && bytes.every((byte) => byte === 255);

/** A local address to bind a socket of `family` to, or invalid-argument. */
export function localOf(family, address) {
  const parsed = fromSocketAddress(address);
  must(address.tag === family && !isMapped(parsed.bytes) && !isMulticast(parsed.bytes) && !isBroadcast(parsed.bytes), "invalid-argument");
  return parsed;
}

/** A remote address for a socket of `family`, or invalid-argument. A stream cannot connect to a group, a datagram socket can. */
export function remoteOf(family, address, { isStream }) {
  const parsed = fromSocketAddress(address);
  const isNowhere = parsed.port === 0 || parsed.bytes.every((byte) => byte === 0);
  must(address.tag === family && !isNowhere && !isMapped(parsed.bytes), "invalid-argument");
  must(!isStream || (!isMulticast(parsed.bytes) && !isBroadcast(parsed.bytes)), "invalid-argument");
  return parsed;
}

/** Options that the node decides itself: the value set is returned, within the interfaces' bounds. */
export class Options {
  #values;

  constructor(defaults) { this.#values = { ...defaults }; }

  get(name) { return this.#values[name]; }
  set(name, value) { this.#values[name] = value; }

  /** Like set(), for options whose 0 is invalid-argument. */
  setPositive(name, value) {
    must(value > 0, "invalid-argument");
    this.set(name, value);
  }

  copy() { return new Options(this.#values); }
}

export const bufferSize = 262144n;
export const dispose = Symbol.dispose || Symbol.for("dispose");

// Socket options of the WasmEdge extension. Options that the node decides itself (TCP_NODELAY is always on, buffers are credit) are
// stored and returned, with Linux's defaults; unsupported ones, such as multicast groups, are refused.

import { Errno } from "./errno.js";
import { Family } from "./address.js";

/** Levels. The extension's own has number 0, which elsewhere is IP's; guests/libc remaps it. */
const level = Object.freeze({ socket: 0, tcp: 6, ipv6: 41, ip: 0x100 });

// The last three are this bridge's: the extension ends at 14.
const so = Object.freeze({
  reuseAddress: 0, type: 1, error: 2, dontRoute: 3, broadcast: 4, sendBuffer: 5, receiveBuffer: 6, keepAlive: 7, oobInline: 8,
  linger: 9, receiveLowWater: 10, receiveTimeout: 11, sendTimeout: 12, acceptsConnections: 13, bindToDevice: 14,
  reusePort: 15, domain: 16, protocol: 17,
});
const readOnly = new Set([so.type, so.error, so.acceptsConnections, so.domain, so.protocol]);

/** The reported buffer size if none was set, in bytes: the first window. */
const bufferSize = 256 * 1024;

const isSwitch = (value) => (value ? 1 : 0);
const switches = (...names) => names.map((name) => [name, [0, isSwitch]]);
const isFrom = (least, most) => (value) => (value >= least && value <= most ? value : -Errno.INVAL);
const isAny = (value) => value;

/** Options by level and number: their defaults, and the function for a new value: it returns the stored value, or a negated errno. */
const socketOptions = new Map([
  ...switches(so.reuseAddress, so.dontRoute, so.broadcast, so.keepAlive, so.oobInline, so.reusePort),
  [so.sendBuffer, [bufferSize, isAny]], [so.receiveBuffer, [bufferSize, isAny]], [so.receiveLowWater, [1, (value) => value || 1]],
]);
const tcpOptions = new Map([
  ...switches(1, 3), // TCP_NODELAY, TCP_CORK
  [2, [1460, isFrom(88, 32767)]], // TCP_MAXSEG
  [4, [7200, isFrom(1, 32767)]], // TCP_KEEPIDLE
  [5, [75, isFrom(1, 32767)]], // TCP_KEEPINTVL
  [6, [9, isFrom(1, 127)]], // TCP_KEEPCNT
  [7, [6, isFrom(1, 127)]], // TCP_SYNCNT
  [8, [60, isAny]], // TCP_LINGER2
  ...[9, 10, 25].map((name) => [name, [0, isAny]]), // TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_NOTSENT_LOWAT
  [12, [1, isSwitch]], // TCP_QUICKACK
  [18, [0, isFrom(0, 0x7fffffff)]], // TCP_USER_TIMEOUT
]);
const ipOptions = new Map([
  [1, [0, (value, { type }) => value & (type === "stream" ? 0xfc : 0xff)]], // IP_TOS; TCP keeps ECN's bits to itself
  [2, [64, isFrom(1, 255)]], // IP_TTL
  [10, [1, isFrom(0, 5)]], // IP_MTU_DISCOVER
  ...switches(8, 11, 12, 13, 24), // IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_BIND_ADDRESS_NO_PORT
  [33, [1, (value, { type }) => (type === "stream" ? -Errno.INVAL : isFrom(0, 255)(value))]], // IP_MULTICAST_TTL
  [34, [1, isSwitch]], // IP_MULTICAST_LOOP
]);
const ipv6Options = new Map([
  [16, [64, isFrom(0, 255)]], // IPV6_UNICAST_HOPS
  [18, [1, isFrom(0, 255)]], // IPV6_MULTICAST_HOPS
  [19, [1, isFrom(0, 1)]], // IPV6_MULTICAST_LOOP
  [23, [1, isFrom(0, 5)]], // IPV6_MTU_DISCOVER
  ...switches(25, 26, 49, 51, 66), // IPV6_RECVERR, IPV6_V6ONLY, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS
  [67, [0, isFrom(0, 255)]], // IPV6_TCLASS
]);
const byLevel = new Map([[level.socket, socketOptions], [level.tcp, tcpOptions], [level.ip, ipOptions], [level.ipv6, ipv6Options]]);

/** The key under which a socket stores an option of a level. */
const keyOf = (at, name) => (at << 16) | name;

/** Whether a socket without a peer is also notified about closed ports (IP_RECVERR). */
export const receiveErrors = keyOf(level.ip, 11);

// A socket without this level: TCP's on a datagram socket, IPv6's on an IPv4 one, any but its own on a local one.
const lacks = (socket, at) => (at === level.tcp && socket.type !== "stream") || (at === level.ipv6 && socket.family !== Family.INET6)
  || (at !== level.socket && socket.family === Family.UNIX);

/** The options of a socket at a level; undefined if it lacks the level. */
const optionsAt = (socket, at) => (lacks(socket, at) ? undefined : byLevel.get(at));

/** The key under which a socket stores the timeout of its calls, in ms. */
const waits = new Map([[so.receiveTimeout, "receiveTimeout"], [so.sendTimeout, "sendTimeout"]]);

/** A length passed by value instead of a pointer (a Go library does so) is not an address that a guest could mean. */
const smallestPointer = 64;

export function getOption(memory, socket, at, name, valuePointer, lengthPointer) {
  const isPointer = lengthPointer >>> 0 >= smallestPointer;
  const length = isPointer ? memory.u32(lengthPointer) : lengthPointer >>> 0;
  const store = (...values) => {
    if (length < 4) return Errno.INVAL;
    const count = Math.min(values.length, length >> 2);
    for (let i = 0; i < count; i++) memory.setU32(valuePointer + 4 * i, values[i]);
    if (isPointer) memory.setU32(lengthPointer, 4 * count);
    return 0;
  };
  const known = optionsAt(socket, at);
  // Linux's IPv4 sockets return this for a level that they lack; IPv6 ones do not.
  if (!known) return socket.family === Family.INET6 ? Errno.NOPROTOOPT : Errno.NOTSUP;
  if (at === level.socket) {
    switch (name) {
      case so.type: return store(socket.type === "stream" ? 2 : 1);
      case so.error: return store(socket.takeError());
      case so.acceptsConnections: return store(socket.isListener ? 1 : 0);
      case so.domain: return store(socket.family);
      case so.protocol: return store(socket.family === Family.UNIX ? 0 : socket.type === "stream" ? 6 : 17);
      case so.linger: return store(...(socket.options.get(keyOf(at, name)) ?? [0, 0]));
      case so.receiveTimeout: case so.sendTimeout:
        return storeTime(memory, valuePointer, length, isPointer ? lengthPointer : 0, socket[waits.get(name)]);
      case so.bindToDevice: return Errno.NOTSUP;
    }
  }
  const option = known.get(name);
  return option ? store(socket.options.get(keyOf(at, name)) ?? option[0]) : Errno.NOPROTOOPT;
}

export function setOption(memory, socket, at, name, valuePointer, length) {
  const known = optionsAt(socket, at);
  if (!known) return socket.family === Family.UNIX ? Errno.NOTSUP : Errno.NOPROTOOPT;
  if (at === level.ipv6 && name === 18 && socket.type === "stream") return Errno.NOPROTOOPT;
  // IP also accepts a byte.
  if (length < 4 && !(at === level.ip && length > 0)) return Errno.INVAL;
  if (at === level.ipv6 && name === 26 && socket.isListener) return Errno.INVAL;
  const value = length < 4 ? memory.u8(valuePointer) : memory.u32(valuePointer) | 0;
  if (at === level.socket) {
    if (readOnly.has(name)) return Errno.NOPROTOOPT;
    switch (name) {
      case so.bindToDevice: return Errno.NOTSUP;
      case so.linger:
        if (length < 8) return Errno.INVAL;
        socket.options.set(keyOf(at, name), [isSwitch(value), value ? memory.u32(valuePointer + 4) : 0]);
        socket.resetsOnClose = value !== 0 && memory.u32(valuePointer + 4) === 0;
        return 0;
      case so.receiveTimeout:
      case so.sendTimeout: {
        if (length < 16) return Errno.INVAL;
        const ms = Number(memory.i64(valuePointer)) * 1000 + Number(memory.i64(valuePointer + 8)) / 1000;
        if (!(ms >= 0)) return Errno.INVAL;
        socket[waits.get(name)] = ms;
        return 0;
      }
    }
  }
  const option = known.get(name);
  if (!option) return Errno.NOPROTOOPT;
  const kept = option[1](value, socket);
  if (kept < 0) return -kept;
  socket.options.set(keyOf(at, name), kept);
  return 0;
}

function storeTime(memory, pointer, length, lengthPointer, ms) {
  if (length < 16) return Errno.INVAL;
  memory.setU64(pointer, Math.floor(ms / 1000));
  memory.setU64(pointer + 8, Math.round((ms % 1000) * 1000));
  if (lengthPointer) memory.setU32(lengthPointer, 16);
  return 0;
}

// Socket options of the WasmEdge extension. What the node decides by itself (TCP_NODELAY is always on, buffers are credit) is
// remembered and read back; what changes nothing visible is accepted.

import { Errno } from "./errno.js";

const levelSocket = 0;
const so = Object.freeze({
  reuseAddress: 0, type: 1, error: 2, dontRoute: 3, broadcast: 4, sendBuffer: 5, receiveBuffer: 6, keepAlive: 7, oobInline: 8,
  linger: 9, receiveLowWater: 10, receiveTimeout: 11, sendTimeout: 12, acceptsConnections: 13, bindToDevice: 14,
  reusePort: 15, // guests/libc's: the extension has none
});

/** What buffers are said to hold where nothing was set, in bytes: the first window. */
const bufferSize = 256 * 1024;

/** A length that is passed by value where a pointer belongs (a Go library does so) is no address a guest could mean. */
const smallestPointer = 64;

export function getOption(memory, socket, level, name, valuePointer, lengthPointer) {
  const isPointer = lengthPointer >>> 0 >= smallestPointer;
  const length = isPointer ? memory.u32(lengthPointer) : lengthPointer >>> 0;
  if (level !== levelSocket) return Errno.NOPROTOOPT;
  const store = (value) => {
    if (length < 4) return Errno.INVAL;
    memory.setU32(valuePointer, value);
    if (isPointer) memory.setU32(lengthPointer, 4);
    return 0;
  };
  switch (name) {
    case so.type: return store(socket.type === "stream" ? 2 : 1);
    case so.error: return store(socket.takeError());
    case so.acceptsConnections: return store(socket.isListener ? 1 : 0);
    case so.receiveTimeout: return storeTime(memory, valuePointer, length, isPointer ? lengthPointer : 0, socket.receiveTimeout);
    case so.sendTimeout: return storeTime(memory, valuePointer, length, isPointer ? lengthPointer : 0, socket.sendTimeout);
    case so.sendBuffer:
    case so.receiveBuffer: return store(socket.options.get(name) ?? bufferSize);
    case so.bindToDevice: return Errno.NOTSUP;
    default: return name >= 0 && name <= so.reusePort ? store(socket.options.get(name) ?? 0) : Errno.NOPROTOOPT;
  }
}

export function setOption(memory, socket, level, name, valuePointer, length) {
  // TCP's and IP's own levels: nothing there changes what a guest sees.
  if (level !== levelSocket) return level > 0 && level < 256 ? 0 : Errno.NOPROTOOPT;
  switch (name) {
    case so.type:
    case so.error:
    case so.acceptsConnections: return Errno.NOPROTOOPT;
    case so.bindToDevice: return Errno.NOTSUP;
    case so.receiveTimeout:
    case so.sendTimeout: {
      if (length < 16) return Errno.INVAL;
      const ms = Number(memory.i64(valuePointer)) * 1000 + Number(memory.i64(valuePointer + 8)) / 1000;
      if (!(ms >= 0)) return Errno.INVAL;
      if (name === so.receiveTimeout) socket.receiveTimeout = ms;
      else socket.sendTimeout = ms;
      return 0;
    }
    default:
      if (name < 0 || name > so.reusePort) return Errno.NOPROTOOPT;
      if (length < 4) return Errno.INVAL;
      if (name === so.linger && length >= 8) socket.resetsOnClose = memory.u32(valuePointer) !== 0 && memory.u32(valuePointer + 4) === 0;
      socket.options.set(name, memory.u32(valuePointer));
      return 0;
  }
}

function storeTime(memory, pointer, length, lengthPointer, ms) {
  if (length < 16) return Errno.INVAL;
  memory.setU64(pointer, Math.floor(ms / 1000));
  memory.setU64(pointer + 8, Math.round((ms % 1000) * 1000));
  if (lengthPointer) memory.setU32(lengthPointer, 16);
  return 0;
}

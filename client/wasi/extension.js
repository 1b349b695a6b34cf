// The WasmEdge socket extension, in the same import module as preview1. Its first and second form share names; the number of
// arguments and the length of the address buffer distinguish them, and any other number returns ENOSYS.

import { Errno } from "./errno.js";
import { Family, familyOf, formatAddress, unmapped } from "./address.js";
import { lookup } from "./lookup.js";
import { Fault } from "./memory.js";
import { PairSocket } from "./pair.js";
import { gather, receiveInto, sendAll } from "./preview1.js";
import { getOption, setOption } from "./options.js";
import { AGAIN, retrying } from "./table.js";

const sockDatagram = 1;
const sockStream = 2;

/** Length of the second form's address buffer: u16 family, then the address. */
const storageLength = 128;

/**
 * The names by which WasmEdge also exports the second form, without their _v2, and their number of arguments. Calls of one
 * form (sock_shutdown, sock_getsockopt, sock_setsockopt, sock_getaddrinfo) have no such name.
 */
const secondForm = Object.freeze({
  sock_open: 3, sock_bind: 3, sock_connect: 3, sock_listen: 2, sock_accept: 3, sock_recv: 6, sock_recv_from: 8, sock_send: 5, sock_send_to: 7,
  sock_getlocaladdr: 3, sock_getpeeraddr: 3,
});

/** The functions of `own` that have a second form, by their _v2 names. */
export function secondFormFunctions(own) {
  return Object.fromEntries(Object.entries(secondForm).map(([name, count]) => [
    `${name}_v2`, (...args) => (args.length === count ? own[name](...args) : Errno.NOSYS),
  ]));
}

export function extensionFunctions(core) {
  const { memory, table } = core;

  // An address argument, { buf, length } in guest memory, as { family, bytes }; the second form's may be of no family.
  const addressAt = (pointer) => {
    const buffer = memory.u32(pointer);
    const length = memory.u32(pointer + 4);
    if (length === 4 || length === 16) return { family: length === 4 ? Family.INET4 : Family.INET6, bytes: memory.bytes(buffer, length).slice() };
    if (length !== storageLength) throw new Fault("an address is 4, 16 or 128 bytes", Errno.INVAL);
    const family = memory.u16(buffer);
    return { family, bytes: memory.bytes(buffer + 2, family === Family.INET6 ? 16 : 4).slice() };
  };

  // The bytes of an address that `socket` is to use, an IPv4-mapped one's as IPv4; or a negated errno, Linux's if the families differ.
  const usable = (socket, { family, bytes }, isBound = false) => {
    if (socket.family === Family.UNIX) return -Errno.INVAL;
    if (family !== Family.INET4 && family !== Family.INET6) return -Errno.AFNOSUPPORT;
    // Linux's IPv6 datagram sockets send to IPv4 addresses.
    if (family === socket.family || (family === Family.INET4 && socket.type === "datagram" && !isBound)) return unmapped(bytes);
    return socket.family === Family.INET4 ? -Errno.AFNOSUPPORT : -Errno.INVAL;
  };

  // Without a family, Linux takes a datagram's destination on an IPv4 socket, and 0.0.0.0 to bind to, as IPv4.
  const orIPv4 = (socket, address) => (address.family === Family.UNSPEC && socket.family === Family.INET4 ? { ...address, family: Family.INET4 } : address);

  // Writes an address into the guest's buffer; the errno reports if it does not fit.
  const storeAddress = (pointer, bytes) => {
    const buffer = memory.u32(pointer);
    const length = memory.u32(pointer + 4);
    if (length === storageLength) {
      memory.fill(buffer, storageLength);
      memory.setU16(buffer, familyOf(bytes));
      memory.bytes(buffer + 2, bytes.length).set(bytes);
      return 0;
    }
    if (length < bytes.length) return Errno.INVAL;
    memory.bytes(buffer, bytes.length).set(bytes);
    return 0;
  };

  const onSocket = (call) => (...args) => {
    const socket = table.get(args[0]);
    return socket ? call(socket, ...args.slice(1)) : table.missing(args[0]);
  };

  // `which` is localAddress or peerAddress. First form: fd, address, type, port; second: fd, address, port.
  const addressGetter = (which) => onSocket((socket, ...args) => {
    if (args.length !== 2 && args.length !== 3) return Errno.NOSYS;
    if (which === "peerAddress") return storeFound(socket.peerAddress(), args);
    // If no port may be bound there is none to report: a client that asks before it connects can continue.
    const bind = retrying(() => socket.ensureBound(), () => socket.bindResult());
    return core.run(() => (bind() === AGAIN ? AGAIN : -storeFound(socket.localAddress(), args)));
  });

  const storeFound = (found, args) => {
    if (!found) return Errno.NOTCONN;
    const errno = storeAddress(args[0], found.bytes);
    if (errno) return errno;
    // The first form returns 4 and 6, which its libraries expect.
    if (args.length === 3) memory.setU32(args[1], found.bytes.length === 4 ? 4 : 6);
    memory.setU32(args[args.length - 1], found.port);
    return 0;
  };

  return {
    sock_open: (family, type, outPointer) => {
      memory.bytes(outPointer, 4);
      if (family !== Family.INET4 && family !== Family.INET6) return Errno.AFNOSUPPORT;
      if (type !== sockStream && type !== sockDatagram) return Errno.PROTOTYPE;
      memory.setU32(outPointer, table.add(core.newSocket(type === sockStream ? "stream" : "datagram", family)));
      return 0;
    },

    // Not part of the extension: for socketpair().
    sock_pair: (type, onePointer, otherPointer) => {
      memory.bytes(onePointer, 4);
      memory.bytes(otherPointer, 4);
      if (type !== sockStream && type !== sockDatagram) return Errno.PROTOTYPE;
      const [one, other] = PairSocket.make(table, type === sockStream ? "stream" : "datagram");
      memory.setU32(onePointer, table.add(one));
      memory.setU32(otherPointer, table.add(other));
      return 0;
    },

    sock_connect: onSocket((socket, addressPointer, port) => {
      const address = addressAt(addressPointer);
      // No family removes the peer.
      if (address.family === Family.UNSPEC) return Math.abs(socket.disconnect());
      const bytes = usable(socket, address);
      if (typeof bytes === "number") return -bytes;
      if (socket.nonblocking && socket.phase === "connecting") return Errno.ALREADY;
      const start = () => socket.connect(formatAddress(bytes), port & 0xffff);
      if (socket.nonblocking && socket.type === "stream") {
        const result = start();
        return result === AGAIN ? Errno.INPROGRESS : -result;
      }
      // One that took too long continues.
      const late = (errno) => (errno === Errno.AGAIN ? Errno.INPROGRESS : errno);
      const begin = () => {
        const result = start();
        // What fails at once changes nothing later.
        return result === AGAIN ? socket.connectResult() : result;
      };
      const result = core.run(retrying(begin, () => socket.connectResult()), { timeout: socket.sendTimeout });
      return result instanceof Promise ? result.then(late) : late(result);
    }),

    sock_bind: onSocket((socket, addressPointer, port) => {
      const address = addressAt(addressPointer);
      const bytes = usable(socket, address.bytes.every((byte) => byte === 0) ? orIPv4(socket, address) : address, true);
      if (typeof bytes === "number") return -bytes;
      return core.run(retrying(() => socket.bind(bytes, port & 0xffff), () => socket.bindResult()));
    }),

    sock_listen: onSocket((socket, backlog) => {
      if (socket.type !== "stream") return Errno.NOTSUP;
      return core.run(retrying(() => {
        const result = socket.listen(backlog);
        return result === 0 ? socket.listenResult() : result;
      }, () => socket.listenResult()));
    }),

    // First form: fd, vectors, count, address, flags, size, flags out. Second: the port before the size.
    sock_recv_from: onSocket((socket, ...args) => {
      if (args.length !== 6 && args.length !== 7) return Errno.NOSYS;
      const [pointer, count, addressPointer, flags] = args;
      const portPointer = args.length === 7 ? args[4] : 0;
      const [sizePointer, flagsPointer] = args.slice(-2);
      const from = {};
      return core.run(...receiveInto(core, socket, pointer, count, { flags, from }, (size) => {
        const sender = socket.type === "stream" ? socket.peerAddress() : from;
        if (sender?.bytes) {
          const errno = storeAddress(addressPointer, sender.bytes);
          if (errno) return -errno;
          // Libraries pass a u32 for the extension's u16.
          if (portPointer) memory.setU16(portPointer, sender.port);
        }
        memory.setU32(sizePointer, size);
        memory.setU16(flagsPointer, from.truncated ? 1 : 0);
        return 0;
      }));
    }),

    sock_send_to: onSocket((socket, pointer, count, addressPointer, port, flags, sizePointer) => {
      const done = (sent) => {
        memory.setU32(sizePointer, sent);
        return 0;
      };
      const address = orIPv4(socket, addressAt(addressPointer));
      if (socket.type === "stream") return socket.family === Family.UNIX ? Errno.ISCONN : core.run(...sendAll(core, socket, pointer, count, done));
      const isToPeer = address.family === Family.UNSPEC && socket.family === Family.INET6;
      const bytes = isToPeer ? null : usable(socket, address);
      if (typeof bytes === "number") return -bytes;
      return core.run(() => {
        const data = gather(memory.vectors(pointer, count));
        const result = isToPeer ? socket.send(data) : socket.sendTo(data, formatAddress(bytes), port & 0xffff);
        return result < 0 ? result : done(result);
      }, { nonblocking: socket.nonblocking, timeout: socket.sendTimeout });
    }),

    sock_getlocaladdr: addressGetter("localAddress"),
    sock_getpeeraddr: addressGetter("peerAddress"),
    sock_getsockopt: onSocket((socket, level, name, valuePointer, lengthPointer) => getOption(memory, socket, level, name, valuePointer, lengthPointer)),
    sock_setsockopt: onSocket((socket, level, name, valuePointer, length) => setOption(memory, socket, level, name, valuePointer, length)),
    sock_getaddrinfo: (...args) => (args.length === 8 ? lookup(core, ...args) : Errno.NOSYS),
  };
}

// WASI preview1 on sockets: sock_* and the fd_* calls that accept a socket's descriptor.

import { Errno } from "./errno.js";
import { AGAIN } from "./table.js";
import { readSubscriptions, writeEvents } from "./poll.js";

const nonblock = 4; // fdflags
const typeDatagram = 5; // filetype
const typeStream = 6;
const allRights = 0x1fffffffn;
const receivePeek = 1; // riflags
const receiveWaitAll = 2;

/** Datagram payloads are gathered into one piece before they are sent. */
export function gather(views) {
  if (views.length === 1) return views[0];
  const bytes = new Uint8Array(views.reduce((sum, view) => sum + view.length, 0));
  let offset = 0;
  for (const view of views) {
    bytes.set(view, offset);
    offset += view.length;
  }
  return bytes;
}

/**
 * An operation that sends all of a stream's bytes if it may block and as many as fit if not. It is called again after
 * each change, so it stores its progress, which is the result when it may not wait any more: `ended` is for core.run.
 * `done(count)` stores the count.
 */
export function sendAll(core, socket, pointer, count, done) {
  let sent = 0;
  const operation = () => {
    const views = core.memory.vectors(pointer, count);
    let skip = sent;
    for (const view of views) {
      if (skip >= view.length) {
        skip -= view.length;
        continue;
      }
      let rest = skip > 0 ? view.subarray(skip) : view;
      skip = 0;
      while (rest.length > 0) {
        // Data sent before an error or a full window is reported first; the next call reports the error.
        if (sent > 0 && socket.hasFailed) return done(sent);
        const result = socket.send(rest);
        if (result < 0) return sent > 0 && socket.nonblocking ? done(sent) : result;
        sent += result;
        rest = rest.subarray(result);
      }
    }
    if (sent === 0) {
      const result = socket.send(new Uint8Array(0));
      if (result < 0) return result;
    }
    return done(sent);
  };
  return [operation, { nonblocking: socket.nonblocking, timeout: socket.sendTimeout, ended: () => (sent > 0 ? done(sent) : AGAIN) }];
}

/** The parts of `views` after their first `count` bytes. */
function after(views, count) {
  const rest = [];
  for (const view of views) {
    if (count < view.length) rest.push(count > 0 ? view.subarray(count) : view);
    count = Math.max(count - view.length, 0);
  }
  return rest;
}

/**
 * An operation that receives into the guest's buffers: what is there, or with MSG_WAITALL from a stream all of it. As `sendAll` it stores
 * its progress, which is the result when no more comes: `ended` is for core.run. `done(count)` stores the count.
 */
export function receiveInto(core, socket, pointer, count, { flags = 0, from = {} }, done) {
  const peek = (flags & receivePeek) !== 0;
  const waitsForAll = (flags & receiveWaitAll) !== 0 && socket.type === "stream";
  let received = 0;
  const operation = () => {
    for (;;) {
      // An error after some bytes is for the next call.
      if (received > 0 && socket.readFails) return done(received);
      const views = core.memory.vectors(pointer, count);
      const result = socket.receive(peek || received === 0 ? views : after(views, received), { peek, from });
      if (result === AGAIN) return AGAIN;
      if (!waitsForAll) return result < 0 ? result : done(result);
      if (result < 0) return received > 0 ? done(received) : result;
      received = peek ? result : received + result;
      const wanted = views.reduce((sum, view) => sum + view.length, 0);
      if (result === 0 || received === wanted) return done(received);
      if (peek) return socket.readable().hasEnded ? done(received) : AGAIN;
    }
  };
  return [operation, { nonblocking: socket.nonblocking, timeout: socket.receiveTimeout, ended: () => (received > 0 ? done(received) : AGAIN) }];
}

/** The functions, by name, for sockets only. `core` has memory, table, clock, run(operation, options), readiness. */
export function preview1Functions(core) {
  const { memory, table } = core;

  const receive = (fd, pointer, count, flags, sizePointer, flagsPointer) => {
    const socket = table.get(fd);
    const from = {};
    return core.run(...receiveInto(core, socket, pointer, count, { flags, from }, (size) => {
      memory.setU32(sizePointer, size);
      if (flagsPointer !== undefined) memory.setU16(flagsPointer, from.truncated ? 1 : 0);
      return 0;
    }));
  };

  // As on Linux a read for no bytes does not wait, and takes no datagram; recv does both.
  const read = (fd, pointer, count, sizePointer) => {
    if (memory.vectors(pointer, count).length > 0) return receive(fd, pointer, count, 0, sizePointer);
    memory.setU32(sizePointer, 0);
    return 0;
  };

  const send = (fd, pointer, count, sizePointer) => {
    const socket = table.get(fd);
    const done = (sent) => {
      memory.setU32(sizePointer, sent);
      return 0;
    };
    if (socket.type === "stream") return core.run(...sendAll(core, socket, pointer, count, done));
    return core.run(() => {
      const result = socket.send(gather(memory.vectors(pointer, count)));
      return result < 0 ? result : done(result);
    }, { nonblocking: socket.nonblocking, timeout: socket.sendTimeout });
  };

  return {
    // WasmEdge's first sock_accept has no flags; the number of arguments shows which it is.
    sock_accept: (...args) => {
      if (args.length !== 2 && args.length !== 3) return Errno.NOSYS;
      const fd = args[0];
      const flags = args.length === 3 ? args[1] : 0;
      const outPointer = args[args.length - 1];
      const socket = table.get(fd);
      if (socket.type !== "stream") return Errno.NOTSUP;
      return core.run(() => {
        memory.bytes(outPointer, 4);
        const accepted = socket.accept();
        if (typeof accepted === "number") return accepted;
        accepted.nonblocking = (flags & nonblock) !== 0;
        memory.setU32(outPointer, table.add(accepted));
        return 0;
      }, { nonblocking: socket.nonblocking, timeout: socket.receiveTimeout });
    },
    sock_recv: (fd, pointer, count, flags, sizePointer, flagsPointer) => receive(fd, pointer, count, flags, sizePointer, flagsPointer),
    sock_send: (fd, pointer, count, flags, sizePointer) => send(fd, pointer, count, sizePointer),
    sock_shutdown: (fd, how) => Math.abs(table.get(fd).shutdown(how)),
    fd_read: read,
    fd_write: (fd, pointer, count, sizePointer) => send(fd, pointer, count, sizePointer),
    fd_close: (fd) => {
      table.remove(fd).close();
      table.changed();
      return 0;
    },
    fd_renumber: (from, to) => {
      table.renumber(from, to);
      return 0;
    },
    fd_fdstat_get: (fd, pointer) => {
      const socket = table.get(fd);
      memory.fill(pointer, 24);
      memory.setU8(pointer, socket.type === "stream" ? typeStream : typeDatagram);
      memory.setU16(pointer + 2, socket.nonblocking ? nonblock : 0);
      memory.setU64(pointer + 8, allRights);
      memory.setU64(pointer + 16, allRights);
      return 0;
    },
    fd_fdstat_set_flags: (fd, flags) => {
      table.get(fd).nonblocking = (flags & nonblock) !== 0;
      return 0;
    },
    fd_fdstat_set_rights: () => 0,
    fd_filestat_get: (fd, pointer) => {
      memory.fill(pointer, 64);
      memory.setU8(pointer + 16, table.get(fd).type === "stream" ? typeStream : typeDatagram);
      return 0;
    },
    // A socket is not a directory: guests stop searching for directories here.
    fd_prestat_get: () => Errno.BADF,
    fd_prestat_dir_name: () => Errno.BADF,
    fd_seek: () => Errno.SPIPE,
    fd_tell: () => Errno.SPIPE,
    fd_pread: () => Errno.SPIPE,
    fd_pwrite: () => Errno.SPIPE,
    fd_advise: () => Errno.SPIPE,
    fd_allocate: () => Errno.INVAL,
    fd_datasync: () => Errno.INVAL,
    fd_sync: () => Errno.INVAL,
    fd_filestat_set_size: () => Errno.INVAL,
    fd_filestat_set_times: () => Errno.INVAL,
    fd_readdir: () => Errno.NOTDIR,
  };
}

/** poll_oneoff over all descriptors; `core.readiness` covers those that are not sockets. */
export function pollOneoff(core) {
  return (inPointer, outPointer, count, countPointer) => {
    const { memory, clock } = core;
    const wait = readSubscriptions(memory, inPointer, count, clock);
    if (typeof wait === "number") return -wait;
    const spinning = wait.deadline <= clock.monotonic();
    // A poll that does not wait still lets pending messages arrive first, or a guest that only polls would never see them.
    let asked = !spinning;
    return core.run(() => {
      if (!asked) {
        asked = true;
        if (!wait.items.some((item) => item.tag !== 0 && core.readiness(item.fd, item.tag === 1)?.ready !== false)) return AGAIN;
      }
      const result = writeEvents(memory, outPointer, wait.items, clock, core.readiness);
      if (result < 0) return result;
      memory.setU32(countPointer, result);
      return 0;
    }, { deadline: wait.deadline, nonblocking: spinning });
  };
}

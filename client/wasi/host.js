// A small preview1 host for commands: arguments, environment, standard streams, clocks, random, exit. No files: opening one fails
// as for a program without a preopened directory.

import { Errno } from "./errno.js";
import { AGAIN } from "./table.js";
import { GuestMemory, utf8 } from "./memory.js";

const characterDevice = 2;
const rightsSeekTell = (1n << 2n) | (1n << 5n);
const rightsReadWrite = (1n << 1n) | (1n << 6n) | (1n << 27n);
const nonblock = 4;

/** Thrown through the guest by proc_exit. */
export class Exit extends Error {
  constructor(code) {
    super(`the program exited with ${code}`);
    this.code = code;
  }
}

export class Host {
  #memory;
  #args;
  #env;
  #stdin;
  #output;
  #isTerminal;
  #nonblocking = [false, false, false];

  /**
   * @param args the program's name first
   * @param env { NAME: "value" }
   * @param stdin an Input, see input.js
   * @param output an OutputGate, see output-gate.js
   * @param isTerminal the result of the guest's isatty
   */
  constructor({ memory, args = [], env = {}, stdin, output, isTerminal = false }) {
    this.#memory = new GuestMemory(memory);
    this.#args = args.map((text) => utf8(`${text}\0`));
    this.#env = Object.entries(env).map(([name, value]) => utf8(`${name}=${value}\0`));
    this.#stdin = stdin;
    this.#output = output;
    this.#isTerminal = isTerminal;
  }

  has(fd) { return fd >= 0 && fd <= 2; }

  readiness(fd, forReading) {
    if (!this.has(fd)) return undefined;
    if (!forReading && fd !== 0) return { ready: this.#output.room > 0, bytes: this.#output.room, hangup: false };
    if (fd !== 0 || !forReading) return { ready: true, bytes: 0, hangup: false };
    return { ready: this.#stdin.length > 0 || this.#stdin.ended, bytes: this.#stdin.length, hangup: this.#stdin.ended && this.#stdin.length === 0 };
  }

  /** The functions of wasi_snapshot_preview1. Those that read input wait through the core. */
  functions(core) {
    const memory = this.#memory;
    const known = (fd, call) => (this.has(fd) ? call() : Errno.BADF);
    const noFile = () => Errno.BADF;
    const functions = {
      ...this.#strings("args", this.#args),
      ...this.#strings("environ", this.#env),
      clock_res_get: (id, pointer) => {
        if (id > 3) return Errno.INVAL;
        memory.setU64(pointer, 1000n);
        return 0;
      },
      clock_time_get: (id, precision, pointer) => {
        if (id > 3) return Errno.INVAL;
        const ms = id === 0 ? core.clock.realtime() : core.clock.monotonic();
        memory.setU64(pointer, BigInt(Math.round(ms * 1000)) * 1000n);
        return 0;
      },
      random_get: (pointer, length) => {
        const bytes = memory.bytes(pointer, length);
        // getRandomValues fills at most 64 KiB at a time, and no shared memory.
        for (let offset = 0; offset < bytes.length; offset += 65536) {
          bytes.set(crypto.getRandomValues(new Uint8Array(Math.min(65536, bytes.length - offset))), offset);
        }
        return 0;
      },
      proc_exit: (code) => {
        throw new Exit(code);
      },
      proc_raise: (signal) => {
        throw new Exit(128 + signal);
      },
      sched_yield: () => 0,
      fd_read: (fd, pointer, count, sizePointer) => known(fd, () => this.#read(core, fd, pointer, count, sizePointer)),
      fd_write: (fd, pointer, count, sizePointer) => known(fd, () => this.#write(core, fd, pointer, count, sizePointer)),
      fd_close: (fd) => known(fd, () => 0),
      fd_fdstat_get: (fd, pointer) => known(fd, () => {
        memory.fill(pointer, 24);
        memory.setU8(pointer, characterDevice);
        memory.setU16(pointer + 2, this.#nonblocking[fd] ? nonblock : 0);
        // isatty treats a character device without seek rights as a terminal.
        memory.setU64(pointer + 8, this.#isTerminal ? rightsReadWrite : rightsReadWrite | rightsSeekTell);
        return 0;
      }),
      fd_fdstat_set_flags: (fd, flags) => known(fd, () => {
        this.#nonblocking[fd] = (flags & nonblock) !== 0;
        return 0;
      }),
      fd_filestat_get: (fd, pointer) => known(fd, () => {
        memory.fill(pointer, 64);
        memory.setU8(pointer + 16, characterDevice);
        return 0;
      }),
      fd_seek: (fd) => known(fd, () => Errno.SPIPE),
      fd_tell: (fd) => known(fd, () => Errno.SPIPE),
      fd_sync: (fd) => known(fd, () => 0),
      fd_datasync: (fd) => known(fd, () => 0),
      poll_oneoff: () => Errno.NOSYS,
    };
    for (const name of withoutFiles) functions[name] = noFile;
    return functions;
  }

  #strings(name, list) {
    const memory = this.#memory;
    return {
      [`${name}_sizes_get`]: (countPointer, sizePointer) => {
        memory.setU32(countPointer, list.length);
        memory.setU32(sizePointer, list.reduce((sum, bytes) => sum + bytes.length, 0));
        return 0;
      },
      [`${name}_get`]: (pointers, buffer) => {
        for (const [index, bytes] of list.entries()) {
          memory.setU32(pointers + index * 4, buffer);
          memory.bytes(buffer, bytes.length).set(bytes);
          buffer += bytes.length;
        }
        return 0;
      },
    };
  }

  #read(core, fd, pointer, count, sizePointer) {
    if (fd !== 0) return Errno.BADF;
    return core.run(() => {
      const size = this.#stdin.read(this.#memory.vectors(pointer, count));
      if (size === AGAIN) return AGAIN;
      this.#memory.setU32(sizePointer, size);
      return 0;
    }, { nonblocking: this.#nonblocking[0] });
  }

  // As on a pipe: all of it if blocking, as much as fits if not.
  #write(core, fd, pointer, count, sizePointer) {
    if (fd === 0) return Errno.BADF;
    const nonblocking = this.#nonblocking[fd];
    let done = 0;
    return core.run(() => {
      let at = 0;
      for (const view of this.#memory.vectors(pointer, count)) {
        // Without the part that an earlier attempt wrote.
        const rest = view.subarray(Math.min(Math.max(done - at, 0), view.length));
        at += view.length;
        const part = rest.subarray(0, this.#output.room);
        if (part.length > 0) this.#output.write(fd, part.slice());
        done += part.length;
        if (part.length < rest.length && (!nonblocking || done === 0)) return AGAIN;
        if (part.length < rest.length) break;
      }
      this.#memory.setU32(sizePointer, done);
      return 0;
    }, { nonblocking });
  }
}

const withoutFiles = [
  "fd_advise", "fd_allocate", "fd_fdstat_set_rights", "fd_filestat_set_size", "fd_filestat_set_times", "fd_pread", "fd_prestat_get",
  "fd_prestat_dir_name", "fd_pwrite", "fd_readdir", "fd_renumber", "path_create_directory", "path_filestat_get",
  "path_filestat_set_times", "path_link", "path_open", "path_readlink", "path_remove_directory", "path_rename", "path_symlink",
  "path_unlink_file",
];

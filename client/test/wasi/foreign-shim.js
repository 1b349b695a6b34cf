// A third-party kind of preview1 shim: one plain imports object, an exit by exception, a directory at descriptor 3, no sockets.

import { addFiles } from "./shim-files.js";

export class ForeignShim {
  inst = null;
  output = "";
  /** Called when there is more output. */
  onoutput = null;
  #decoder = new TextDecoder();

  constructor(args) {
    const list = args.map((text) => new TextEncoder().encode(`${text}\0`));
    const view = () => new DataView(this.inst.exports.memory.buffer);
    const sizes = (count, size) => (countPointer, sizePointer) => {
      view().setUint32(countPointer, count, true);
      view().setUint32(sizePointer, size, true);
      return 0;
    };
    this.wasiImport = {
      args_sizes_get: sizes(list.length, list.reduce((sum, bytes) => sum + bytes.length, 0)),
      args_get: (pointers, buffer) => {
        for (const [index, bytes] of list.entries()) {
          view().setUint32(pointers + index * 4, buffer, true);
          new Uint8Array(this.inst.exports.memory.buffer).set(bytes, buffer);
          buffer += bytes.length;
        }
        return 0;
      },
      environ_sizes_get: sizes(0, 0),
      environ_get: () => 0,
      clock_time_get: (id, precision, pointer) => {
        view().setBigUint64(pointer, BigInt(Math.round((id === 0 ? performance.timeOrigin : 0) + performance.now())) * 1000000n, true);
        return 0;
      },
      fd_write: (fd, vectors, count, sizePointer) => {
        let size = 0;
        for (let i = 0; i < count; i++) {
          const length = view().getUint32(vectors + i * 8 + 4, true);
          const bytes = new Uint8Array(this.inst.exports.memory.buffer, view().getUint32(vectors + i * 8, true), length);
          this.output += this.#decoder.decode(bytes.slice(), { stream: true });
          size += length;
        }
        view().setUint32(sizePointer, size, true);
        this.onoutput?.();
        return fd < 3 ? 0 : 8;
      },
      fd_read: () => 8,
      fd_close: (fd) => (fd < 4 ? 0 : 8),
      fd_seek: () => 70,
      fd_fdstat_get: (fd, pointer) => {
        new Uint8Array(this.inst.exports.memory.buffer, pointer, 24).fill(0);
        view().setUint8(pointer, fd === 3 ? 3 : 2);
        return fd < 4 ? 0 : 8;
      },
      fd_fdstat_set_flags: () => 8,
      fd_prestat_get: (fd, pointer) => {
        if (fd !== 3) return 8;
        view().setUint8(pointer, 0);
        view().setUint32(pointer + 4, 1, true);
        return 0;
      },
      fd_prestat_dir_name: (fd, pointer) => {
        view().setUint8(pointer, 47);
        return 0;
      },
      poll_oneoff: () => 52,
      proc_exit: (code) => {
        throw Object.assign(new Error("exit"), { exitCode: code });
      },
    };
  }
}

/**
 * Runs `module` on the shim with the bridge over it, in this thread. The bridge gets `listen`; `onlisten` receives the open listeners.
 * `files`, if given, are in the shim's directory.
 */
export async function runOnShim({ module, args, files, listen, onlisten, wrapImports, ...options }) {
  const shim = new ForeignShim(args);
  if (files) addFiles(shim, files);
  const bridge = wrapImports({ wasi_snapshot_preview1: shim.wasiImport }, { ...options, listenerFd: 4 });
  bridge.check(module);
  if (listen) onlisten(await bridge.listen(listen));
  const instance = await WebAssembly.instantiate(module, bridge.imports);
  shim.inst = instance;
  let exitCode = 0;
  try {
    await bridge.start(instance);
  } catch (error) {
    if (error.exitCode === undefined) throw error;
    exitCode = error.exitCode;
  }
  bridge.close();
  return { exitCode, output: shim.output };
}

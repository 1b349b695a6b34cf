// Files for the third-party shim: enough to open one by its path from the directory at descriptor 3, and to read it.

const firstFile = 4;
const notFound = 44;
const badFile = 8;
const notSupported = 58;

/** Gives `shim` these `files`: { "/path": "text" }. */
export function addFiles(shim, files) {
  const base = { ...shim.wasiImport };
  const open = new Map(); // descriptor: { bytes, at }
  const view = () => new DataView(shim.inst.exports.memory.buffer);
  const bytes = (pointer, length) => new Uint8Array(shim.inst.exports.memory.buffer, pointer, length);
  Object.assign(shim.wasiImport, {
    random_get: (pointer, length) => {
      crypto.getRandomValues(bytes(pointer, length));
      return 0;
    },
    path_open: (directory, lookup, pathPointer, pathLength, flags, rights, inheriting, fdFlags, outPointer) => {
      const content = files[`/${new TextDecoder().decode(bytes(pathPointer, pathLength))}`];
      if (content === undefined) return notFound;
      let fd = firstFile;
      while (open.has(fd)) fd++;
      open.set(fd, { bytes: new TextEncoder().encode(content), at: 0 });
      view().setUint32(outPointer, fd, true);
      return 0;
    },
    fd_read: (fd, vectors, count, sizePointer) => {
      const file = open.get(fd);
      if (!file) return base.fd_read(fd, vectors, count, sizePointer);
      let size = 0;
      for (let i = 0; i < count; i++) {
        const part = file.bytes.subarray(file.at, file.at + view().getUint32(vectors + i * 8 + 4, true));
        bytes(view().getUint32(vectors + i * 8, true), part.length).set(part);
        file.at += part.length;
        size += part.length;
      }
      view().setUint32(sizePointer, size, true);
      return 0;
    },
    fd_close: (fd) => (open.delete(fd) ? 0 : base.fd_close(fd)),
    fd_fdstat_get: (fd, pointer) => {
      bytes(pointer, 24).fill(fd === 3 || open.has(fd) ? 255 : 0);
      view().setUint8(pointer, open.has(fd) ? 4 : fd === 3 ? 3 : 2);
      view().setUint16(pointer + 2, 0, true);
      return fd < 4 || open.has(fd) ? 0 : badFile;
    },
  });
  for (const name of ["fd_filestat_get", "fd_filestat_set_size", "path_create_directory", "path_filestat_get", "path_filestat_set_times", "path_rename", "path_unlink_file"]) {
    shim.wasiImport[name] = () => notSupported;
  }
}

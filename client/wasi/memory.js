// Guest memory, read and written through a new view each time: growing it or resuming from a suspension detaches old views.

import { Errno } from "./errno.js";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Arguments that no call can use: an address outside the guest's memory, if not said otherwise. Every ABI function returns its errno. */
export class Fault extends Error {
  constructor(message, errno = Errno.FAULT) {
    super(message);
    this.errno = errno;
  }
}

export class GuestMemory {
  #source;
  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));

  /** `source` is a WebAssembly.Memory or a function that returns one (the instance may not exist yet). */
  constructor(source) {
    this.#source = typeof source === "function" ? source : () => source;
  }

  #refresh() {
    const { buffer } = this.#source();
    if (buffer !== this.#bytes.buffer) {
      this.#bytes = new Uint8Array(buffer);
      this.#view = new DataView(buffer);
    }
  }

  #check(pointer, length) {
    this.#refresh();
    pointer >>>= 0;
    length >>>= 0;
    if (pointer + length > this.#bytes.length) throw new Fault("address outside the guest's memory");
    return pointer;
  }

  /** A view of guest memory. Use it before the next suspension, never after. */
  bytes(pointer, length) {
    const start = this.#check(pointer, length);
    return this.#bytes.subarray(start, start + (length >>> 0));
  }

  u8(pointer) { const at = this.#check(pointer, 1); return this.#view.getUint8(at); }
  u16(pointer) { const at = this.#check(pointer, 2); return this.#view.getUint16(at, true); }
  u32(pointer) { const at = this.#check(pointer, 4); return this.#view.getUint32(at, true); }
  u64(pointer) { const at = this.#check(pointer, 8); return this.#view.getBigUint64(at, true); }
  i64(pointer) { const at = this.#check(pointer, 8); return this.#view.getBigInt64(at, true); }
  setU8(pointer, value) { const at = this.#check(pointer, 1); this.#view.setUint8(at, value); }
  setU16(pointer, value) { const at = this.#check(pointer, 2); this.#view.setUint16(at, value, true); }
  setU32(pointer, value) { const at = this.#check(pointer, 4); this.#view.setUint32(at, value, true); }
  setU64(pointer, value) { const at = this.#check(pointer, 8); this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true); }
  fill(pointer, length, value = 0) { this.bytes(pointer, length).fill(value); }

  /** UTF-8 text. TextDecoder rejects shared memory, so the bytes are copied first. */
  text(pointer, length) { return decoder.decode(this.bytes(pointer, length).slice()); }

  /** The non-empty buffers of an iovec or ciovec array, as views. */
  vectors(pointer, count) {
    count >>>= 0;
    if (count > 1024) throw new Fault("more than 1024 buffers in one call", Errno.INVAL);
    const views = [];
    for (let i = 0; i < count; i++) {
      const length = this.u32(pointer + i * 8 + 4);
      const view = this.bytes(this.u32(pointer + i * 8), length);
      if (length > 0) views.push(view);
    }
    return views;
  }
}

/** UTF-8 bytes of a string. */
export const utf8 = (text) => encoder.encode(text);

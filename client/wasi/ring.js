// A byte ring in shared memory, one writer and one reader in different threads, carrying whole messages:
// [u32 length][u8 type][u32 handle][payload].

const tailAt = 0; // bytes written, modulo 2^32
const headAt = 1; // bytes read
const writerWaitsAt = 2; // 1: the writer found no room and wants a notification
const readerIdleAt = 3; // 1: the reader has seen everything and wants a notification; a reader that may not block waits for it to change
const controlBytes = 16;

/** How long to poll for a message before sleeping, in ms, if the last one arrived soon: a wake-up costs as much as a local round trip. */
const spinTime = 0.5;
const looksBetweenTimes = 50;
const hasOtherCore = (globalThis.navigator?.hardwareConcurrency ?? 2) > 1;

const headerBytes = 9;

/** Maximum payload bytes of one message. */
export const mostPayload = 64 * 1024;

export class Ring {
  #control;
  #bytes;
  #view;
  #mask;
  #isQuick = hasOtherCore; // the last wait was short, so this one may be
  #header = new DataView(new ArrayBuffer(headerBytes));

  /** Shared memory for a ring of `capacity` bytes, a power of two much larger than one message. */
  static memory(capacity) { return new SharedArrayBuffer(controlBytes + capacity); }

  constructor(buffer) {
    this.#control = new Int32Array(buffer, 0, 4);
    this.#bytes = new Uint8Array(buffer, controlBytes);
    this.#view = new DataView(buffer, controlBytes);
    this.#mask = this.#bytes.length - 1;
  }

  // The writer's side

  /** Writes one message of up to `mostPayload` bytes in the given parts; false if there is no room, and then the reader reports room. */
  write(type, handle, ...parts) {
    const length = parts.reduce((sum, part) => sum + part.length, headerBytes);
    let tail = Atomics.load(this.#control, tailAt);
    if (this.#free(tail) < length) {
      Atomics.store(this.#control, writerWaitsAt, 1);
      if (this.#free(tail) < length) return false;
      Atomics.store(this.#control, writerWaitsAt, 0);
    }
    this.#header.setUint32(0, length, true);
    this.#header.setUint8(4, type);
    this.#header.setUint32(5, handle, true);
    this.#put(tail, new Uint8Array(this.#header.buffer));
    tail = (tail + headerBytes) | 0;
    for (const part of parts) {
      this.#put(tail, part);
      tail = (tail + part.length) | 0;
    }
    Atomics.store(this.#control, tailAt, tail);
    Atomics.notify(this.#control, tailAt);
    return true;
  }

  #free(tail) { return this.#bytes.length - ((tail - Atomics.load(this.#control, headAt)) >>> 0); }

  #put(at, part) {
    const start = at & this.#mask;
    const first = Math.min(part.length, this.#bytes.length - start);
    this.#bytes.set(first === part.length ? part : part.subarray(0, first), start);
    if (first < part.length) this.#bytes.set(part.subarray(first), 0);
  }

  /** Blocks until the reader has taken something, or `ms` passed. */
  waitForRoom(ms) {
    const head = Atomics.load(this.#control, headAt);
    if (Atomics.load(this.#control, writerWaitsAt) === 1) Atomics.wait(this.#control, headAt, head, ms);
  }

  /** Whether the reader was idle, which it then no longer is: the caller must wake it if true. */
  takeIdle() { return Atomics.exchange(this.#control, readerIdleAt, 0) === 1; }

  /** Wakes a reader that waits by `whenWoken`. */
  wakeReader() { Atomics.notify(this.#control, readerIdleAt); }

  // The reader's side

  get isEmpty() { return Atomics.load(this.#control, tailAt) === Atomics.load(this.#control, headAt); }

  /** Takes the next message as `take(type, handle, payload)`, the payload a copy; false if there is none. */
  read(take) {
    const head = Atomics.load(this.#control, headAt);
    if (Atomics.load(this.#control, tailAt) === head) return false;
    const length = this.#u32(head);
    const type = this.#bytes[(head + 4) & this.#mask];
    const handle = this.#u32(head + 5);
    const payload = this.#get(head + headerBytes, length - headerBytes);
    Atomics.store(this.#control, headAt, (head + length) | 0);
    Atomics.notify(this.#control, headAt);
    take(type, handle, payload);
    return true;
  }

  #u32(at) {
    const start = at & this.#mask;
    if (start + 4 <= this.#bytes.length) return this.#view.getUint32(start, true);
    let value = 0;
    for (let i = 3; i >= 0; i--) value = (value << 8) | this.#bytes[(at + i) & this.#mask];
    return value >>> 0;
  }

  #get(at, length) {
    const start = at & this.#mask;
    const copy = new Uint8Array(length);
    const first = Math.min(length, this.#bytes.length - start);
    copy.set(this.#bytes.subarray(start, start + first));
    if (first < length) copy.set(this.#bytes.subarray(0, length - first), first);
    return copy;
  }

  /** Blocks until there is a message, or `ms` passed, which returns false. Polls before it sleeps if one `isNear` and the last was. */
  waitForMessage(ms, isNear = true) {
    const head = Atomics.load(this.#control, headAt);
    const start = performance.now();
    if (isNear && this.#isQuick && this.#spin(head, start + Math.min(ms, spinTime))) return true;
    // Empty means tail equals head, so waiting for the tail to leave that value misses nothing.
    const outcome = Atomics.wait(this.#control, tailAt, head, ms);
    if (isNear) this.#isQuick = hasOtherCore && performance.now() - start < 2 * spinTime;
    return outcome !== "timed-out";
  }

  // Whether a message arrived before `end`.
  #spin(head, end) {
    do {
      for (let look = 0; look < looksBetweenTimes; look++) if (Atomics.load(this.#control, tailAt) !== head) return true;
    } while (performance.now() < end);
    return false;
  }

  /** Calls back once, when the writer has woken the idle reader; at once if it has already done so. Does not block. */
  whenWoken(call) {
    const { async, value } = Atomics.waitAsync(this.#control, readerIdleAt, 1);
    if (async) value.then(call);
    else queueMicrotask(call);
  }

  /** Marks the reader as waiting; false if a message arrived meanwhile and it must continue to read. */
  setIdle() {
    Atomics.store(this.#control, readerIdleAt, 1);
    return this.isEmpty || !this.takeIdle();
  }

  /** Whether the writer waits for room; it no longer does after. */
  takeWriterWaits() { return Atomics.exchange(this.#control, writerWaitsAt, 0) === 1; }
}

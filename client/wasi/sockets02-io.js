// wasi:io 0.2 (error, poll, streams) and the monotonic clock, over the core's sockets. Calls that may wait return promises. Streams and
// pollables of another shim (such as the standard streams) can be mixed with these: an instance is any object with the methods.

import { Errno } from "./errno.js";
import { dispose, errorCode } from "./sockets02-values.js";

const nothing = new Uint8Array(0);
const mostRead = 65536;
/** The maximum ms for setTimeout. */
const longestTimer = 0x7fffffff;

const having = (...methods) => ({ value: (object) => methods.every((method) => typeof object?.[method] === "function") });

export function ioInterfaces(table) {
  class Pollable {
    #isReady;
    #ondispose;
    constructor(isReady, ondispose = () => {}) {
      this.#isReady = isReady;
      this.#ondispose = ondispose;
    }
    ready() { return this.#isReady(); }
    async block() {
      while (!this.#isReady()) await new Promise((resolve) => table.onceChanged(resolve));
    }
    [dispose]() { this.#ondispose(); }
  }

  async function poll(list) {
    if (list.length === 0) throw new Error("poll of an empty list");
    const others = list.filter((entry) => Object.getPrototypeOf(entry) !== Pollable.prototype);
    for (;;) {
      const ready = list.flatMap((entry, index) => (entry.ready() ? [index] : []));
      if (ready.length > 0) return Uint32Array.from(ready);
      let forget;
      const change = new Promise((resolve) => { forget = table.onceChanged(resolve); });
      await Promise.race([change, ...others.map((entry) => entry.block())]);
      forget();
    }
  }

  class IoError {
    constructor(result) { this.code = errorCode(result); }
    toDebugString() { return this.code; }
  }

  const failed = (result) => ({ tag: "last-operation-failed", val: new IoError(result) });
  const closed = () => ({ tag: "closed" });

  class InputStream {
    #socket;
    constructor(socket) { this.#socket = socket; }
    read(length) {
      const buffer = new Uint8Array(Number(length > mostRead ? mostRead : length));
      const result = this.#socket.receive([buffer]);
      if (result === 0 && buffer.length > 0) throw closed();
      // If it would have to wait, there are no bytes yet.
      if (result < 0 && errorCode(result) !== "would-block") throw failed(result);
      return buffer.subarray(0, Math.max(result, 0));
    }
    async blockingRead(length) {
      if (length > 0) await this.subscribe().block();
      return this.read(length);
    }
    skip(length) { return BigInt(this.read(length).length); }
    async blockingSkip(length) { return BigInt((await this.blockingRead(length)).length); }
    subscribe() { return new Pollable(() => this.#socket.readable().ready); }
    [dispose]() {}
  }

  class OutputStream {
    #socket;
    constructor(socket) { this.#socket = socket; }
    checkWrite() {
      const result = this.#socket.send(nothing);
      if (result === -Errno.PIPE) throw closed();
      if (result < 0) throw failed(result);
      return BigInt(this.#socket.writable().bytes);
    }
    write(bytes) {
      const most = this.checkWrite();
      if (bytes.length > most) throw new Error(`write of ${bytes.length} bytes where check-write permits ${most}`);
      this.#socket.send(bytes);
    }
    flush() { this.checkWrite(); }
    async blockingFlush() { this.flush(); }
    async blockingWriteAndFlush(bytes) {
      for (let rest = bytes; rest.length > 0;) {
        await this.subscribe().block();
        const most = this.checkWrite();
        const part = rest.subarray(0, Number(most));
        this.write(part);
        rest = rest.subarray(part.length);
      }
      this.flush();
    }
    writeZeroes(length) { this.write(new Uint8Array(Number(length))); }
    blockingWriteZeroesAndFlush(length) { return this.blockingWriteAndFlush(new Uint8Array(Number(length))); }
    splice(source, length) {
      const most = this.checkWrite();
      const bytes = source.read(length < most ? length : most);
      this.write(bytes);
      return BigInt(bytes.length);
    }
    async blockingSplice(source, length) {
      await this.subscribe().block();
      await source.subscribe().block();
      return this.splice(source, length);
    }
    subscribe() { return new Pollable(() => this.#socket.writable().ready); }
    [dispose]() {}
  }

  for (const [kind, methods] of [[Pollable, ["ready", "block"]], [InputStream, ["read", "blockingRead"]], [OutputStream, ["checkWrite", "write"]], [IoError, ["toDebugString"]]]) {
    Object.defineProperty(kind, Symbol.hasInstance, having(...methods));
  }

  const now = () => BigInt(Math.round(performance.now() * 1e6));

  function subscribeInstant(when) {
    let timer = null;
    const left = () => Number(when - now()) / 1e6;
    const arm = () => {
      timer = setTimeout(() => (left() > 0 ? arm() : table.changed()), Math.min(Math.max(left(), 0), longestTimer));
    };
    if (left() > 0) arm();
    return new Pollable(() => left() <= 0, () => clearTimeout(timer));
  }

  return {
    Pollable, InputStream, OutputStream,
    interfaces: {
      "wasi:io/error": { Error: IoError },
      "wasi:io/poll": { Pollable, poll },
      "wasi:io/streams": { InputStream, OutputStream },
      "wasi:clocks/monotonic-clock": {
        now, resolution: () => 1000n, subscribeInstant, subscribeDuration: (duration) => subscribeInstant(now() + duration),
      },
    },
  };
}

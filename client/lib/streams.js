// Sockets as WHATWG streams: the API of Cloudflare's connect() and of Direct Sockets.

import { toBytes } from "./bytes.js";
import { WasmnetError, isOrderly } from "./errors.js";

/** Splits "ip:port" or "[ip6]:port". */
function endpoint(string) {
  const at = string?.lastIndexOf(":") ?? -1;
  return at < 0 ? ["", 0] : [string.slice(0, at).replace(/^\[|\]$/g, ""), Number(string.slice(at + 1))];
}

/** A promise whose rejection need not be handled. */
function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}

/** Common to all kinds: `opened`, `closed`, `close()`, AbortSignal. */
class Shape {
  #opened = deferred();
  #abort = null;
  #closed = deferred();

  constructor(socket) {
    this.socket = socket;
    this.opened = this.#opened.promise;
    this.closed = this.#closed.promise;
  }

  /** The reason of the program's abort, else the socket's. */
  get _failure() { return this.#abort ? this.#abort.reason : this.socket.ending; }
  get _hasFailed() { return this.#abort !== null || !isOrderly(this.socket.ending); }

  async close() {
    this.socket.close();
    await this.closed.catch(() => {});
  }

  /** The socket has ended, although earlier data may wait to be read. */
  _settle() {
    const { code, message } = this.socket.ending;
    this.#opened.reject(this._failure);
    if (this._hasFailed) this.#closed.reject(this._failure);
    else this.#closed.resolve({ code, message });
  }

  /** The last step of a constructor: events from here on can end the socket. */
  _start(signal, info, ended) {
    const { socket } = this;
    const open = () => this.#opened.resolve(info());
    // An accepted connection may have ended before the program takes it.
    if (socket.state === "open" || socket.kind === "accepted") open();
    else socket.onopen = open;
    if (socket.ending) this._settle();
    socket.onclosed = () => {
      this._settle();
      ended();
    };
    if (!signal) return;
    const abort = () => {
      this.#abort = { reason: signal.reason };
      socket.reset();
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    const stop = () => signal.removeEventListener("abort", abort);
    this.closed.then(stop, stop);
  }
}

export class Connection extends Shape {
  #readable;
  #isCancelled = false;
  #unwritten = 0;
  #writable;
  #isShut = false;
  #isToEnd = false;
  #isReadable = true;
  #mayWrite = null;

  constructor(socket, { signal, allowHalfOpen = false } = {}) {
    super(socket);
    // Data is delivered only to a read, and credit is granted with it: a program that does not read stops its own socket.
    socket.paused = true;
    socket.ondata = (chunk) => {
      socket.paused = true;
      const { length } = chunk;
      this.#readable.enqueue(chunk);
      socket.consumed(length);
    };
    socket.onend = () => {
      this.#endReadable();
      this.#isToEnd = !allowHalfOpen;
      this.#endIfWritten();
    };
    socket.onsendable = () => {
      this.#mayWrite?.();
      if (socket.ending) this._settle();
    };
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => { this.#readable = controller; },
      pull: () => { socket.paused = false; },
      // Reading has ended: no more credit is granted, and later data is dropped. Data still to be written is sent first.
      cancel: () => {
        this.#isReadable = false;
        this.#isCancelled = true;
        socket.ondata = () => {};
        socket.paused = false;
        if (this.#isShut) socket.close();
      },
    });
    this.writable = new WritableStream({
      start: (controller) => { this.#writable = controller; },
      write: (chunk) => this.#write(chunk),
      close: () => {
        this.#shut();
        return this.opened;
      },
      abort: () => socket.reset(),
    }, {
      // Called for each chunk when it is passed: data passed before the target's end is still sent.
      size: () => {
        this.#unwritten++;
        return 1;
      },
    });
    this._start(signal, () => this.#info(), () => this.#endReadable(this._hasFailed));
  }

  reset() { this.socket.reset(); }

  _settle() {
    super._settle();
    this.#writable.error(this._failure);
  }

  #info() {
    const { local, remote, alpn } = this.socket;
    const [localAddress, localPort] = endpoint(local);
    const [remoteAddress, remotePort] = endpoint(remote);
    return { localAddress, localPort, remoteAddress, remotePort, alpn };
  }

  #endReadable(hasFailed) {
    if (!this.#isReadable) return;
    this.#isReadable = false;
    if (hasFailed) {
      this.#readable.error(this._failure);
    } else {
      this.#readable.close();
      // A reader that supplied its own buffer gets it back empty.
      this.#readable.byobRequest?.respond(0);
    }
  }

  async #write(chunk) {
    const { socket } = this;
    try {
      const bytes = toBytes(chunk);
      for (let sent = 0; sent < bytes.length;) {
        if (socket.ending) throw this._failure;
        const count = Math.min(bytes.length - sent, socket.sendable);
        if (count > 0) {
          socket.send(bytes.subarray(sent, sent + count));
          sent += count;
        } else {
          await new Promise((resolve) => { this.#mayWrite = resolve; });
        }
      }
      // Until the target has accepted the connection it can be refused.
      await this.opened;
    } catch (error) {
      // The stream takes no more, not even an abort: nothing else would end the socket.
      this.#writable.error(error);
      socket.reset();
      throw error;
    } finally {
      this.#unwritten--;
      this.#endIfWritten();
    }
  }

  /** The target has ended; only writes in progress may still complete. */
  #endIfWritten() {
    if (!this.#isToEnd || this.#unwritten > 0 || this.#isShut) return;
    this.#writable.error(new WasmnetError("normal", "the target ended the connection"));
    this.#shut();
  }

  #shut() {
    this.#isShut = true;
    if (this.#isCancelled) this.socket.close();
    else this.socket.shutdown();
  }
}

export class DatagramConnection extends Shape {
  constructor(socket, { signal } = {}) {
    super(socket);
    let readable;
    let writable;
    let pulled = null;
    let mayWrite = null;
    socket.onsendable = () => mayWrite?.();
    this.readable = new ReadableStream({
      start: (controller) => { readable = controller; },
      pull: () => new Promise((resolve) => {
        pulled = resolve;
        // One for each read: the socket bounds waiting data, and drops the rest.
        socket.ondatagram = (data, remoteAddress, remotePort) => {
          socket.ondatagram = null;
          readable.enqueue({ data, remoteAddress, remotePort });
          resolve();
        };
      }),
      // Reading has ended; the program can continue to write.
      cancel: () => { socket.ondatagram = () => {}; },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      start: (controller) => { writable = controller; },
      write: async (datagram) => {
        await this.opened;
        while (!socket.isShut && socket.sendable === 0) await new Promise((resolve) => { mayWrite = resolve; });
        if (socket.ending) throw this._failure;
        const { data, remoteAddress, remotePort } = datagram?.data === undefined ? { data: datagram } : datagram;
        if (remoteAddress === undefined) socket.send(data);
        else socket.sendTo(remoteAddress, remotePort, data);
      },
      close: async () => {
        await this.opened;
        socket.close();
      },
      abort: () => socket.close(),
    });
    this._start(signal, () => ({ localPort: socket.localPort }), () => {
      try {
        if (this._hasFailed) readable.error(this._failure);
        else readable.close();
      } catch {
        // The program had cancelled it.
      }
      pulled?.();
      writable.error(this._failure);
    });
  }
}

export class Listener extends Shape {
  #options;
  #waiting = [];

  /** A client may end first and wait for the answer, so its connection can be half open unless an option says otherwise. */
  constructor(socket, { signal, allowHalfOpen = true } = {}) {
    super(socket);
    this.#options = { allowHalfOpen };
    this._start(signal, () => ({ localPort: socket.localPort }), () => {
      for (const resolve of this.#waiting.splice(0)) resolve(this.#over());
    });
  }

  async #over() {
    if (this._hasFailed) throw this._failure;
    return null;
  }

  async accept() {
    const { socket } = this;
    if (socket.ending) return this.#over();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      socket.onaccept = (accepted) => {
        const next = this.#waiting.shift();
        if (!this.#waiting.length) socket.onaccept = null;
        next(new Connection(accepted, this.#options));
      };
    });
  }

  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        const value = await this.accept();
        return { value, done: !value };
      },
      return: async (value) => {
        await this.close();
        return { value, done: true };
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

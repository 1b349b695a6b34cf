// WasmnetClient: sockets by number and callback, the API of existing programs for this protocol, and by streams.

import { latin1, toBytes } from "./lib/bytes.js";
import { check, optionsOf, signalOf, target } from "./lib/check.js";
import { Core } from "./lib/core.js";
import { Connection, DatagramConnection, Listener } from "./lib/streams.js";

export { codes, WasmnetError } from "./lib/errors.js";
export { Socket } from "./lib/socket.js";
export { Connection, DatagramConnection, Listener } from "./lib/streams.js";

/** Sockets that have ended are kept for late listeners, up to this number and this many bytes; the oldest are forgotten first. */
const MOST_ENDED = 1024;
const MOST_ENDED_BYTES = 64 << 20;

export class WasmnetClient extends Core {
  /** Sockets by id, of the calls below. */
  sockets = new Map();
  #binary;
  #endedBytes = 0;
  #ended = new Map();

  constructor(url, options = {}) {
    super(url, options);
    this.#binary = options.binary === true;
  }

  /** @returns {Promise<number>} the socket's id */
  connect(addr, port) { return this.#open("tcp", addr, port, (socket) => socket.id); }
  connectTls(addr, port) { return this.#open("tls", addr, port, (socket) => socket.id); }

  /** @returns {Promise<{id: number, port: number}>} the id and the local port */
  connectUdp(addr, port) { return this.#open("udp", addr, port, bound); }
  bindUdp(addr, port) { return this.#open("udp-listener", addr, port, bound); }
  bind(addr, port) { return this.#open("listener", addr, port, bound); }

  listen(id, backlog) { this.#at(id)?.listen(backlog); }

  /** A string's characters are bytes; with {binary: true} it is sent as UTF-8. */
  send(id, data) {
    const socket = this.#at(id);
    if (socket && !socket.isShut) socket.send(this.#bytes(data));
  }

  sendTo(id, addr, port, data) {
    const socket = this.#at(id);
    if (socket && !socket.isShut) socket.sendTo(addr, port, this.#bytes(data));
  }

  /** Closes a socket or listener, whose callbacks are no longer called. */
  close(id) {
    const socket = this.#at(id);
    if (!socket) return;
    this.#forget(socket);
    socket.ondata = socket.ondatagram = socket.onaccept = socket.onclosed = null;
    socket.close();
  }

  onData(id, callback) {
    check("callback", callback, "function");
    const socket = this.#at(id);
    if (!socket) return;
    socket.ondata = callback && ((chunk) => {
      try {
        callback(chunk);
      } finally {
        socket.consumed(chunk.length);
      }
    });
    this.#forgetIfTold(socket);
  }

  onDataFrom(id, callback) {
    check("callback", callback, "function");
    const socket = this.#at(id);
    if (socket) socket.ondatagram = callback;
  }

  /** The callback receives the reason, a WasmnetError with a code. */
  onClose(id, callback) {
    check("callback", callback, "function");
    const socket = this.#at(id);
    if (!socket) return;
    socket.onclosed = callback && ((error) => {
      this.#forgetIfTold(socket);
      callback(error);
    });
  }

  onAccept(id, callback) {
    check("callback", callback, "function");
    const listener = this.#at(id);
    if (!listener) return;
    listener.onaccept = callback && ((socket) => {
      this.#keep(socket);
      callback(socket.id, socket.remote);
    });
  }

  /** A TCP or TLS connection as two streams. */
  open(to, options) {
    const { tls, transport = tls ? "tls" : "tcp" } = optionsOf(options);
    check("transport", transport, ["tcp", "tls"]);
    check("tls", tls ?? transport === "tls", [transport === "tls"], "a boolean, as transport has it");
    return this.#shape(Connection, transport, to, options);
  }

  /** `for await (const connection of client.listenOn({hostname: "0.0.0.0", port: 0}))` */
  listenOn(local, options) { return this.#shape(Listener, "listener", local, options); }

  openUdp(to, options) { return this.#shape(DatagramConnection, "udp", to, options); }
  listenUdp(local, options) { return this.#shape(DatagramConnection, "udp-listener", local, options); }

  _socketEnded(socket) {
    super._socketEnded(socket);
    if (this.sockets.get(socket.id) !== socket) return;
    this.#ended.set(socket, socket.waitingBytes);
    this.#endedBytes += socket.waitingBytes;
    while (this.#ended.size > MOST_ENDED || this.#endedBytes > MOST_ENDED_BYTES) this.#forget(this.#ended.keys().next().value);
  }

  #shape(Shape, kind, to, options) {
    const { signal, allowHalfOpen } = optionsOf(options);
    signalOf(signal);
    check("allowHalfOpen", allowHalfOpen, "boolean");
    return new Shape(this.socket(kind, ...target(to), undefined, options), options);
  }

  /** The socket of an id, if it is one of the calls by number. */
  #at(id) { return this.sockets.get(check("id", id, [1, 2 ** 53 - 1])); }

  #open(kind, addr, port, answer) {
    return new Promise((resolve, reject) => {
      // The program does not know its id before it is open.
      this.socket(kind, addr, port, {
        onopen: (socket) => {
          socket.onclosed = null;
          this.#keep(socket);
          resolve(answer(socket));
        },
        onclosed: reject,
      });
    });
  }

  #keep(socket) {
    this.sockets.set(socket.id, socket);
    // As in v1: the target's end is the socket's, once the sent data is out.
    socket.onend = () => socket.shutdown();
  }

  #forgetIfTold(socket) {
    if (socket.ending && socket.onclosed && socket.waitingBytes === 0) this.#forget(socket);
  }

  #forget(socket) {
    this.#endedBytes -= this.#ended.get(socket) ?? 0;
    this.#ended.delete(socket);
    this.sockets.delete(socket.id);
  }

  #bytes(data) {
    if (typeof data !== "string" || this.#binary) return toBytes(data);
    const beyond = /[^\0-\xff]/.exec(data)?.[0];
    check("a string to send", beyond, "function", "of characters up to U+00FF, unless {binary: true} is set", beyond);
    return latin1(data);
  }
}

const bound = (socket) => ({ id: socket.id, port: socket.localPort });

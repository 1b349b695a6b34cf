// Sockets for the core from a WasmnetClient in the same thread.
//
// The interface of a transport (this one, or remote.js across threads):
//   connect({ host, port, tls }, handler), bind({ host, port }, handler), connectUdp and bindUdp likewise -> channel
//   resolve(name, done) with done(code, addresses): one of the two is null
// Options and arguments come from a guest: an invalid request is also closed with a code.
// A channel has `credit` (bytes that send accepts now), send(bytes) -> count taken, sendTo, consumed(count), shutdown, close, reset,
// and `handler`, whose functions are called on events: opened({ local, remote }), data(bytes), datagram(bytes, host, port),
// accepted(channel, { remote }), writable(), ended(), failed(code), closed(code), the last of all. No function returns a promise.
// ClientTransport's channels also have `paused`.

import { RefusalTeller } from "./refusal.js";

/** How long closed sockets may take to send their data, in ms, when the client is about to end. */
export const lingerTime = 5000;

export class ClientTransport {
  #client;
  #live = new Set();
  #ondrained = null;
  #refusals;

  /** @param [onrefused] receives refusals by the node, in words: see refusal.js */
  constructor(client, onrefused) {
    this.#client = client;
    this.#refusals = new RefusalTeller(onrefused);
  }

  connect({ host, port, tls }, handler) { return this.#open(tls ? "tls" : "tcp", host, port, handler); }
  bind({ host, port }, handler) { return this.#open("listener", host, port, handler); }
  connectUdp({ host, port }, handler) { return this.#open("udp", host, port, handler); }
  bindUdp({ host, port }, handler) { return this.#open("udp-listener", host, port, handler); }

  resolve(name, done) {
    this.#client.resolve(name).then((addresses) => done(null, addresses), (error) => {
      this._refused("lookup", name, 0, error);
      done(error.code ?? "internal", null);
    });
  }

  #open(kind, host, port, handler) {
    const channel = new Channel(handler, this);
    this._opened(channel);
    const listeners = channel.listeners(kind, host, port);
    try {
      channel.socket = this.#client.socket(kind, host, port, listeners);
    } catch (error) {
      // A name or a port that is invalid for the client.
      channel.socket = new NoSocket(error);
      queueMicrotask(() => listeners.onclosed(error));
    }
    return channel;
  }

  _refused(kind, host, port, error) { this.#refusals.tell(kind, host, port, error, this.#client); }

  /** Resolves when every socket has ended, or after `ms`. */
  drained(ms = lingerTime) {
    if (this.#live.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#ondrained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  _opened(channel) { this.#live.add(channel); }

  _closed(channel) {
    this.#live.delete(channel);
    if (this.#live.size === 0) this.#ondrained?.();
  }
}

/** Replaces a socket that could not be requested. */
class NoSocket {
  sendable = 0;

  constructor(error) {
    this.ending = error;
  }

  consumed() {}
  shutdown() {}
  close() {}
  reset() {}
}

const nothing = new Uint8Array(0);

/** v1 has no credit: a socket's bytes that the guest has not read; more wait in the client, which bounds them over all sockets. */
const mostUnread = 1024 * 1024;

class Channel {
  socket = null;

  #transport;
  #unread = 0;
  #isPaused = false;

  constructor(handler, transport) {
    this.handler = handler;
    this.#transport = transport;
  }

  listeners(kind, host, port) {
    const isBound = kind === "listener" || kind === "udp" || kind === "udp-listener";
    return {
      onopen: (socket) => {
        const local = isBound ? `${boundHost(kind, host)}:${socket.localPort}` : socket.local;
        this.handler.opened?.({ local, remote: socket.remote });
      },
      ondata: (bytes) => {
        this.#unread += bytes.length;
        this.#pause();
        this.handler.data?.(bytes);
      },
      ondatagram: (bytes, from, port) => this.handler.datagram?.(bytes, from, port),
      onaccept: (socket) => this.#accepted(socket),
      onend: () => this.handler.ended?.(),
      onsendable: () => this.handler.writable?.(),
      onerror: (error) => {
        this.#transport._refused(kind, host, port, error);
        this.handler.failed?.(error.code);
      },
      onclosed: (error) => {
        this.#transport._closed(this);
        this.#transport._refused(kind, host, port, error);
        this.handler.closed?.(error.code);
      },
    };
  }

  #accepted(socket) {
    const channel = new Channel({}, this.#transport);
    channel.socket = socket;
    this.#transport._opened(channel);
    this.handler.accepted?.(channel, { local: socket.local, remote: socket.remote });
    // Data that already arrived for the accepted socket can be delivered only now, when it has its handler.
    Object.assign(socket, channel.listeners("accepted", socket.remote ?? "", 0));
  }

  get credit() { return this.socket.sendable; }

  send(bytes) {
    if (this.socket.ending) return 0;
    const count = Math.min(bytes.length, this.socket.sendable);
    // Sending nothing makes the socket note that it lacks credit or room, so that `writable` follows.
    this.socket.send(count === bytes.length ? bytes : count === 0 ? nothing : bytes.subarray(0, count));
    return count;
  }

  /** A datagram that cannot be sent is an error about this datagram only. */
  sendTo(bytes, host, port) {
    try {
      if (!this.socket.ending) this.socket.sendTo(host, port, bytes);
    } catch (error) {
      this.handler.failed?.(error.code ?? "internal");
    }
  }

  consumed(count) {
    this.#unread -= count;
    this.socket.consumed(count);
    this.#pause();
  }

  /** While true no events are passed on: they wait in the client, within its bounds. */
  set paused(isPaused) {
    this.#isPaused = isPaused;
    this.#pause();
  }

  #pause() {
    const isPaused = this.#isPaused || (this.socket.owner?.version === 1 && this.#unread > mostUnread);
    if (this.socket.paused !== isPaused) this.socket.paused = isPaused;
  }

  shutdown() { this.socket.shutdown(); }
  close() { this.socket.close(); }
  reset() { this.socket.reset(); }
}

const boundHost = (kind, host) => {
  if (kind === "udp") return "0.0.0.0";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
};

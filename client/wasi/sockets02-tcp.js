// wasi:sockets/tcp 0.2: bind, connect and listen each have a start and a finish, and a socket has one of them in progress at a time.

import { Family } from "./address.js";
import { AGAIN } from "./table.js";
import { TcpSocket as Stream } from "./tcp.js";
import { Options, bufferSize, check, dispose, errorCode, localOf, must, remoteOf, toSocketAddress } from "./sockets02-values.js";

const second = 1000000000n;
const defaults = {
  keepAlive: false, idleTime: 7200n * second, interval: 75n * second, count: 9, hopLimit: 64, receiveBuffer: bufferSize, sendBuffer: bufferSize,
};
const mostBacklog = 128n;

export function tcpInterfaces(table, transport, { Pollable, InputStream, OutputStream }) {
  class TcpSocket {
    #socket;
    #family;
    #options;
    #backlog = mostBacklog;
    #state; // unbound, binding, bound, connecting, connected, listening-soon, listening, closed

    constructor(family, { socket, options = new Options(defaults) } = {}) {
      this.#family = family;
      this.#options = options;
      this.#state = socket ? "connected" : "unbound";
      this.#socket = socket ?? new Stream(table, transport, family === "ipv6" ? Family.INET6 : Family.INET4);
    }

    startBind(network, local) {
      const { bytes, port } = localOf(this.#family, local);
      this.#begin(["unbound"]);
      let result = this.#socket.bind(bytes, port);
      // Here binding determines whether the port is free, and local-address does not wait.
      if (result === 0) result = this.#socket.ensureBound(true);
      this.#started(result, "binding");
    }

    finishBind() { this.#finish("binding", () => this.#socket.bindResult(), "bound", "unbound"); }

    startConnect(network, remote) {
      const { host, port } = remoteOf(this.#family, remote, { isStream: true });
      this.#begin(["unbound", "bound"]);
      this.#started(this.#socket.connect(host, port), "connecting");
    }

    finishConnect() {
      this.#finish("connecting", () => this.#socket.connectResult(), "connected", "closed");
      return [new InputStream(this.#socket), new OutputStream(this.#socket)];
    }

    startListen() {
      this.#begin(["bound"]);
      this.#started(this.#socket.listen(Number(this.#backlog)), "listening-soon");
    }

    finishListen() { this.#finish("listening-soon", () => this.#socket.listenResult(), "listening", "closed"); }

    #begin(states) {
      must(!this.#isUnderWay, "concurrency-conflict");
      must(states.includes(this.#state), "invalid-state");
    }

    get #isUnderWay() { return ["binding", "connecting", "listening-soon"].includes(this.#state); }

    #started(result, state) {
      if (result !== AGAIN) check(result);
      this.#state = state;
    }

    #finish(state, ask, next, otherwise) {
      must(this.#state === state, "not-in-progress");
      const result = ask();
      if (result !== AGAIN) this.#state = result < 0 ? otherwise : next;
      check(result);
    }

    accept() {
      must(this.#state === "listening", "invalid-state");
      const accepted = this.#socket.accept();
      if (typeof accepted === "number") throw errorCode(accepted);
      return [new TcpSocket(this.#family, { socket: accepted, options: this.#options.copy() }), new InputStream(accepted), new OutputStream(accepted)];
    }

    localAddress() {
      must(!["unbound", "binding", "closed"].includes(this.#state), "invalid-state");
      return toSocketAddress(this.#socket.localAddress());
    }

    remoteAddress() {
      const found = this.#state === "connected" && this.#socket.peerAddress();
      must(found, "invalid-state");
      return toSocketAddress(found);
    }

    isListening() { return this.#state === "listening"; }
    addressFamily() { return this.#family; }

    shutdown(how) {
      must(this.#state === "connected", "invalid-state");
      // A direction that is already shut down can be shut down again, and nothing is read after that.
      this.#socket.shutdown({ receive: 1, send: 2, both: 3 }[how]);
      if (how !== "send") this.#socket.discard();
    }

    subscribe() {
      return new Pollable(() => {
        if (this.#isUnderWay) return !["connecting", "binding"].includes(this.#socket.phase);
        return this.#state !== "listening" || this.#socket.readable().ready;
      });
    }

    setListenBacklogSize(value) {
      must(value > 0n, "invalid-argument");
      must(!["connecting", "connected", "closed"].includes(this.#state), "invalid-state");
      must(!["listening-soon", "listening"].includes(this.#state), "not-supported");
      this.#backlog = value < mostBacklog ? value : mostBacklog;
    }

    keepAliveEnabled() { return this.#options.get("keepAlive"); }
    setKeepAliveEnabled(value) { this.#options.set("keepAlive", value); }
    keepAliveIdleTime() { return this.#options.get("idleTime"); }
    setKeepAliveIdleTime(value) { this.#options.setPositive("idleTime", value); }
    keepAliveInterval() { return this.#options.get("interval"); }
    setKeepAliveInterval(value) { this.#options.setPositive("interval", value); }
    keepAliveCount() { return this.#options.get("count"); }
    setKeepAliveCount(value) { this.#options.setPositive("count", value); }
    hopLimit() { return this.#options.get("hopLimit"); }
    setHopLimit(value) { this.#options.setPositive("hopLimit", value); }
    receiveBufferSize() { return this.#options.get("receiveBuffer"); }
    setReceiveBufferSize(value) { this.#options.setPositive("receiveBuffer", value); }
    sendBufferSize() { return this.#options.get("sendBuffer"); }
    setSendBufferSize(value) { this.#options.setPositive("sendBuffer", value); }

    [dispose]() { this.#socket.close(); }
  }

  return {
    "wasi:sockets/tcp": { TcpSocket },
    "wasi:sockets/tcp-create-socket": { createTcpSocket: (family) => new TcpSocket(family) },
  };
}

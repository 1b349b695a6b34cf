// wasi:sockets/udp 0.2.

import { Family } from "./address.js";
import { AGAIN } from "./table.js";
import { UdpSocket as Datagrams } from "./udp.js";
import { Options, bufferSize, check, dispose, fromSocketAddress, localOf, must, remoteOf, toSocketAddress } from "./sockets02-values.js";

/** Maximum datagrams in one send. */
const mostPermits = 64n;
const largestDatagram = 65507;
const defaults = { hopLimit: 64, receiveBuffer: bufferSize, sendBuffer: bufferSize };

const isSame = (one, other) => one.port === other.port && one.host === other.host;

export function udpInterfaces(table, transport, { Pollable }) {
  class IncomingDatagramStream {
    #socket;
    #remote;
    constructor(socket, remote) {
      this.#socket = socket;
      this.#remote = remote;
    }
    receive(most) {
      const datagrams = [];
      // An error is only for a call without any other result.
      while (BigInt(datagrams.length) < most && (datagrams.length === 0 || this.#socket.queued > 0)) {
        const buffer = new Uint8Array(largestDatagram);
        const from = {};
        const count = this.#socket.receive([buffer], { from });
        if (count === AGAIN) break;
        check(count);
        if (!from.bytes) break;
        const remoteAddress = toSocketAddress(from);
        // A stream with a peer has only that peer's datagrams.
        if (this.#remote && !isSame(this.#remote, fromSocketAddress(remoteAddress))) continue;
        datagrams.push({ data: buffer.slice(0, count), remoteAddress });
      }
      return datagrams;
    }
    subscribe() { return new Pollable(() => this.#socket.readable().ready); }
    [dispose]() {}
  }

  class OutgoingDatagramStream {
    #socket;
    #family;
    #remote;
    constructor(socket, family, remote) {
      this.#socket = socket;
      this.#family = family;
      this.#remote = remote;
    }
    checkSend() { return this.#socket.writable().ready ? mostPermits : 0n; }
    send(datagrams) {
      if (BigInt(datagrams.length) > this.checkSend()) throw new Error(`send of ${datagrams.length} datagrams where check-send permits ${this.checkSend()}`);
      let count = 0n;
      for (const { data, remoteAddress } of datagrams) {
        try {
          const { host, port } = this.#destination(remoteAddress);
          const result = this.#socket.sendTo(data, host, port);
          if (result === AGAIN) break;
          check(result);
        } catch (code) {
          if (count > 0n) break;
          throw code;
        }
        count++;
      }
      return count;
    }
    #destination(address) {
      if (!address) {
        must(this.#remote, "invalid-argument");
        return this.#remote;
      }
      const remote = remoteOf(this.#family, address, { isStream: false });
      must(!this.#remote || isSame(this.#remote, remote), "invalid-argument");
      return remote;
    }
    subscribe() { return new Pollable(() => this.#socket.writable().ready); }
    [dispose]() {}
  }

  class UdpSocket {
    #socket;
    #family;
    #state = "unbound"; // binding, bound
    #remote = null;
    #remoteAddress;
    #local = null;
    #options = new Options(defaults);
    constructor(family) {
      this.#family = family;
      this.#socket = new Datagrams(table, transport, family === "ipv6" ? Family.INET6 : Family.INET4);
    }
    startBind(network, local) {
      const { bytes, port } = localOf(this.#family, local);
      must(this.#state !== "binding", "concurrency-conflict");
      must(this.#state === "unbound", "invalid-state");
      this.#local = local;
      // A client binds to any port before it sends; the socket opens towards its first peer, which needs no right to bind.
      if (port !== 0) {
        const result = this.#socket.bind(bytes, port);
        if (result !== AGAIN) check(result);
      }
      this.#state = "binding";
    }
    finishBind() {
      must(this.#state === "binding", "not-in-progress");
      const result = this.#socket.bindResult();
      if (result !== AGAIN) this.#state = result < 0 ? "unbound" : "bound";
      check(result);
    }
    stream(address) {
      must(this.#state === "bound", "invalid-state");
      this.#remote = address ? remoteOf(this.#family, address, { isStream: false }) : null;
      this.#remoteAddress = address;
      if (this.#remote) this.#socket.connect(this.#remote.host, this.#remote.port);
      return [
        new IncomingDatagramStream(this.#socket, this.#remote), new OutgoingDatagramStream(this.#socket, this.#family, this.#remote),
      ];
    }
    localAddress() {
      must(this.#state === "bound", "invalid-state");
      const { bytes, port } = this.#socket.localAddress();
      return port === 0 ? this.#local : toSocketAddress({ bytes, port });
    }
    remoteAddress() {
      must(this.#remote, "invalid-state");
      return this.#remoteAddress;
    }
    addressFamily() { return this.#family; }
    unicastHopLimit() { return this.#options.get("hopLimit"); }
    setUnicastHopLimit(value) { this.#options.setPositive("hopLimit", value); }
    receiveBufferSize() { return this.#options.get("receiveBuffer"); }
    setReceiveBufferSize(value) { this.#options.setPositive("receiveBuffer", value); }
    sendBufferSize() { return this.#options.get("sendBuffer"); }
    setSendBufferSize(value) { this.#options.setPositive("sendBuffer", value); }
    subscribe() { return new Pollable(() => !this.#socket.isOpening); }
    [dispose]() { this.#socket.close(); }
  }

  return {
    "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
    "wasi:sockets/udp-create-socket": { createUdpSocket: (family) => new UdpSocket(family) },
  };
}

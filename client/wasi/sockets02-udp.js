// wasi:sockets/udp 0.2, beside sockets02.js.

import { Family } from "./address.js";
import { AGAIN } from "./table.js";
import { UdpSocket as Datagrams } from "./udp.js";
import { check, fromSocketAddress, toSocketAddress } from "./sockets02.js";

/** Datagrams that one send takes at most. */
const mostPermits = 64n;

export function udpInterfaces(table, transport, pollable) {
  class IncomingDatagramStream {
    #socket;
    #remote;
    constructor(socket, remote) {
      this.#socket = socket;
      this.#remote = remote;
    }
    receive(most) {
      const datagrams = [];
      while (BigInt(datagrams.length) < BigInt(most)) {
        const buffer = new Uint8Array(65507);
        const from = {};
        const count = this.#socket.receive([buffer], { from });
        if (count === AGAIN || !from.bytes) break;
        check(count);
        const remoteAddress = toSocketAddress(from);
        // A stream with a peer has datagrams of that peer only.
        if (this.#remote && JSON.stringify(this.#remote) !== JSON.stringify(remoteAddress)) continue;
        datagrams.push({ data: buffer.slice(0, count), remoteAddress });
      }
      return datagrams;
    }
    subscribe() { return pollable(() => this.#socket.readable().ready); }
  }

  class OutgoingDatagramStream {
    #socket;
    #remote;
    constructor(socket, remote) {
      this.#socket = socket;
      this.#remote = remote;
    }
    checkSend() { return this.#socket.writable().ready ? mostPermits : 0n; }
    send(datagrams) {
      let count = 0n;
      for (const { data, remoteAddress } of datagrams) {
        const target = remoteAddress ?? this.#remote;
        if (!target) throw "invalid-argument";
        const { host, port } = fromSocketAddress(target);
        const result = this.#socket.sendTo(data, host, port);
        if (result === AGAIN) break;
        if (result < 0 && count > 0n) break;
        check(result);
        count++;
      }
      return count;
    }
    subscribe() { return pollable(() => this.#socket.writable().ready); }
  }

  class UdpSocket {
    #socket;
    #family;
    #remote;
    constructor(family) {
      this.#family = family;
      this.#socket = new Datagrams(table, transport, family === "ipv6" ? Family.INET6 : Family.INET4);
    }
    startBind(network, local) {
      const { bytes, port } = fromSocketAddress(local);
      // A client binds to any port before it sends; the socket opens towards its first peer, which needs no right to bind.
      if (port === 0) return;
      const result = this.#socket.bind(bytes, port);
      if (result !== AGAIN) check(result);
    }
    finishBind() { check(this.#socket.bindResult()); }
    stream(remote) {
      this.#remote = remote;
      if (remote) {
        const { host, port } = fromSocketAddress(remote);
        this.#socket.connect(host, port);
      }
      return [new IncomingDatagramStream(this.#socket, remote), new OutgoingDatagramStream(this.#socket, remote)];
    }
    localAddress() { return toSocketAddress(this.#socket.localAddress()); }
    remoteAddress() {
      if (!this.#remote) throw "invalid-state";
      return this.#remote;
    }
    addressFamily() { return this.#family; }
    unicastHopLimit() { return 64; }
    setUnicastHopLimit() {}
    receiveBufferSize() { return 262144n; }
    setReceiveBufferSize() {}
    sendBufferSize() { return 262144n; }
    setSendBufferSize() {}
    subscribe() { return pollable(() => this.#socket.writable().ready); }
    [Symbol.dispose || Symbol.for("dispose")]() { this.#socket.close(); }
  }

  return {
    "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
    "wasi:sockets/udp-create-socket": { createUdpSocket: (family) => new UdpSocket(family) },
  };
}

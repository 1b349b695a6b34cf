// wasi:sockets 0.2 for components that jco transpiled: ES-module classes over the same sockets. Calls that may wait (poll, block,
// blocking reads and writes) return promises: transpile with --async-mode jspi. Errors are thrown as the interfaces' own values.

import { Errno } from "./errno.js";
import { Family, formatAddress, parseAddress } from "./address.js";
import { AGAIN, SocketTable } from "./table.js";
import { TcpSocket as Stream } from "./tcp.js";
import { ClientTransport } from "./transport.js";
import { udpInterfaces } from "./sockets02-udp.js";

const words = new Map([
  [Errno.ACCES, "access-denied"], [Errno.ADDRINUSE, "address-in-use"], [Errno.CONNREFUSED, "connection-refused"],
  [Errno.CONNRESET, "connection-reset"], [Errno.CONNABORTED, "connection-aborted"], [Errno.TIMEDOUT, "timeout"],
  [Errno.HOSTUNREACH, "remote-unreachable"], [Errno.NETDOWN, "remote-unreachable"], [Errno.MSGSIZE, "datagram-too-large"],
  [Errno.MFILE, "new-socket-limit"], [Errno.NOBUFS, "new-socket-limit"], [Errno.INVAL, "invalid-state"], [Errno.ISCONN, "invalid-state"],
  [Errno.NOTCONN, "invalid-state"], [Errno.AFNOSUPPORT, "not-supported"],
]);

/** The interfaces' error-code for a negated errno or AGAIN. */
export const errorCode = (result) => (result === AGAIN ? "would-block" : words.get(-result) ?? "unknown");

/** Throws the error-code of a result that is none. */
export function check(result) {
  if (result < 0) throw errorCode(result);
  return result;
}

/** An ip-socket-address as { host, bytes, port }. */
export function fromSocketAddress({ tag, val }) {
  const bytes = tag === "ipv4" ? Uint8Array.from(val.address) : Uint8Array.from(val.address.flatMap((group) => [group >> 8, group & 255]));
  return { bytes, host: formatAddress(bytes), port: val.port };
}

export function toIpAddress(bytes) {
  if (bytes.length === 4) return { tag: "ipv4", val: [...bytes] };
  return { tag: "ipv6", val: Array.from({ length: 8 }, (_, i) => (bytes[i * 2] << 8) | bytes[i * 2 + 1]) };
}

export function toSocketAddress({ bytes, port }) {
  const { tag, val: address } = toIpAddress(bytes);
  return { tag, val: tag === "ipv4" ? { port, address } : { port, flowInfo: 0, address, scopeId: 0 } };
}

class Pollable {
  #table;
  #isReady;

  constructor(table, isReady) {
    this.#table = table;
    this.#isReady = isReady;
  }

  ready() { return this.#isReady(); }

  async block() {
    while (!this.#isReady()) await new Promise((resolve) => this.#table.onceChanged(resolve));
  }

  [Symbol.dispose || Symbol.for("dispose")]() {}
}

/**
 * The modules of one component, by their names without versions: hand them to jco's instantiation, or map them to its imports.
 *
 * @param client a WasmnetClient
 */
export function socketInterfaces(client) {
  const table = new SocketTable();
  const transport = new ClientTransport(client);
  const pollable = (isReady) => new Pollable(table, isReady);

  async function poll(list) {
    if (list.length === 0) throw new Error("poll of an empty list");
    for (;;) {
      const ready = list.flatMap((entry, index) => (entry.ready() ? [index] : []));
      if (ready.length > 0) return Uint32Array.from(ready);
      await new Promise((resolve) => table.onceChanged(resolve));
    }
  }

  class InputStream {
    #socket;
    constructor(socket) { this.#socket = socket; }
    read(length) {
      const buffer = new Uint8Array(Math.min(Number(length), 65536));
      const result = this.#socket.receive([buffer]);
      if (result === AGAIN) return new Uint8Array(0);
      if (result < 0) throw { tag: "last-operation-failed", val: new IoError(result) };
      if (result === 0 && buffer.length > 0) throw { tag: "closed" };
      return buffer.subarray(0, result);
    }
    async blockingRead(length) {
      await this.subscribe().block();
      return this.read(length);
    }
    skip(length) { return BigInt(this.read(length).length); }
    async blockingSkip(length) { return BigInt((await this.blockingRead(length)).length); }
    subscribe() { return pollable(() => this.#socket.readable().ready); }
  }

  class OutputStream {
    #socket;
    constructor(socket) { this.#socket = socket; }
    checkWrite() {
      const { ready, bytes } = this.#socket.writable();
      if (ready && bytes === 0) throw { tag: "closed" };
      return BigInt(bytes);
    }
    write(bytes) {
      if (bytes.length === 0) return;
      const result = this.#socket.send(bytes);
      if (result === -Errno.PIPE) throw { tag: "closed" };
      if (result < bytes.length) throw { tag: "last-operation-failed", val: new IoError(result) };
    }
    flush() {}
    async blockingFlush() {}
    async blockingWriteAndFlush(bytes) {
      for (let rest = bytes; rest.length > 0;) {
        await this.subscribe().block();
        const count = Math.min(rest.length, Number(this.checkWrite()));
        this.write(rest.subarray(0, count));
        rest = rest.subarray(count);
      }
    }
    writeZeroes(length) { this.write(new Uint8Array(Number(length))); }
    blockingWriteZeroesAndFlush(length) { return this.blockingWriteAndFlush(new Uint8Array(Number(length))); }
    splice() { throw { tag: "last-operation-failed", val: new IoError(-Errno.NOTSUP) }; }
    async blockingSplice() { return this.splice(); }
    subscribe() { return pollable(() => this.#socket.writable().ready); }
  }

  class IoError {
    constructor(result) { this.code = errorCode(result); }
    toDebugString() { return this.code; }
  }

  class TcpSocket {
    #socket;
    #family;
    #isListening = false;
    constructor(family, socket) {
      this.#family = family;
      this.#socket = socket ?? new Stream(table, transport, family === "ipv6" ? Family.INET6 : Family.INET4);
    }
    startBind(network, local) {
      const { bytes, port } = fromSocketAddress(local);
      const result = this.#socket.bind(bytes, port);
      if (result !== AGAIN) check(result);
    }
    finishBind() { check(this.#socket.bindResult()); }
    startConnect(network, remote) {
      const { host, port } = fromSocketAddress(remote);
      const result = this.#socket.connect(host, port);
      if (result !== AGAIN) check(result);
    }
    finishConnect() {
      check(this.#socket.connectResult());
      return [new InputStream(this.#socket), new OutputStream(this.#socket)];
    }
    startListen() {
      const result = this.#socket.listen(128);
      if (result !== AGAIN) check(result);
    }
    finishListen() {
      check(this.#socket.listenResult());
      this.#isListening = true;
    }
    accept() {
      const accepted = this.#socket.accept();
      if (typeof accepted === "number") throw errorCode(accepted);
      return [new TcpSocket(this.#family, accepted), new InputStream(accepted), new OutputStream(accepted)];
    }
    localAddress() { return toSocketAddress(this.#socket.localAddress()); }
    remoteAddress() {
      const found = this.#socket.peerAddress();
      if (!found) throw "invalid-state";
      return toSocketAddress(found);
    }
    isListening() { return this.#isListening; }
    addressFamily() { return this.#family; }
    shutdown(how) { check(this.#socket.shutdown({ receive: 1, send: 2, both: 3 }[how])); }
    subscribe() {
      return pollable(() => !["connecting", "binding"].includes(this.#socket.phase) && (this.#socket.phase !== "listening" || this.#socket.readable().ready));
    }
    setListenBacklogSize() {}
    keepAliveEnabled() { return false; }
    setKeepAliveEnabled() {}
    keepAliveIdleTime() { return 0n; }
    setKeepAliveIdleTime() {}
    keepAliveInterval() { return 0n; }
    setKeepAliveInterval() {}
    keepAliveCount() { return 0; }
    setKeepAliveCount() {}
    hopLimit() { return 64; }
    setHopLimit() {}
    receiveBufferSize() { return 262144n; }
    setReceiveBufferSize() {}
    sendBufferSize() { return 262144n; }
    setSendBufferSize() {}
    [Symbol.dispose || Symbol.for("dispose")]() { this.#socket.close(); }
  }

  class ResolveAddressStream {
    #found = null;
    #next = 0;
    constructor(name) {
      const literal = parseAddress(name);
      if (literal) this.#found = [literal];
      else {
        transport.resolve(name, (code, addresses) => {
          this.#found = addresses?.map(parseAddress).filter(Boolean)
            ?? (code === "policy_denied" || code === "denylisted" ? "access-denied" : code === "name_not_found" ? "name-unresolvable" : "temporary-resolver-failure");
          table.changed();
        });
      }
    }
    resolveNextAddress() {
      if (this.#found === null) throw "would-block";
      if (typeof this.#found === "string") throw this.#found;
      const bytes = this.#found[this.#next++];
      return bytes ? toIpAddress(bytes) : undefined;
    }
    subscribe() { return pollable(() => this.#found !== null); }
  }

  class Network {}
  const network = new Network();

  return {
    "wasi:io/error": { Error: IoError },
    "wasi:io/poll": { Pollable, poll },
    "wasi:io/streams": { InputStream, OutputStream },
    "wasi:sockets/network": { Network },
    "wasi:sockets/instance-network": { instanceNetwork: () => network },
    "wasi:sockets/ip-name-lookup": { ResolveAddressStream, resolveAddresses: (_, name) => new ResolveAddressStream(name) },
    "wasi:sockets/tcp": { TcpSocket },
    "wasi:sockets/tcp-create-socket": { createTcpSocket: (family) => new TcpSocket(family) },
    ...udpInterfaces(table, transport, pollable),
  };
}


// Binary messages: [type][id, 64 bits big-endian][payload]. v1 and v2 differ in four events and in what v2 adds.

import { text, utf8 } from "./bytes.js";
import { wordOf } from "./errors.js";

const HEADER = 9;
/** The most payload of one message; JSON's grows by a third. */
export const PIECE = 64 << 10;
const OPEN = { tcp: 0x01, listener: 0x02, udp: 0x06, tls: 0x09, "udp-listener": 0x0d };

const TEXT_PAYLOAD = { 0x86: "error", 0x87: "denied" };
const PORT_PAYLOAD = { 0x83: "listening", 0x8a: "udp_bound" };

/** What a hello must say. */
const NO_TERMS = { window: 0, max_message: 0, max_sockets: 0, heartbeat_ms: 0 };

function message(type, id, length, buffer = new ArrayBuffer(HEADER + length)) {
  const bytes = new Uint8Array(buffer, 0, HEADER + length);
  const view = new DataView(buffer);
  bytes[0] = type;
  view.setUint32(1, Math.floor(id / 0x100000000));
  view.setUint32(5, id);
  return [bytes, view];
}

export class BinaryCodec {
  isBinary = true;
  #buffer;

  /**
   * @param {1 | 2} version
   * @param {boolean} [isCopied] whether a message is copied when it is sent: then all data goes out in one buffer, which stays in the cache
   */
  constructor(version, isCopied) {
    this.version = version;
    if (isCopied) this.#buffer = new ArrayBuffer(HEADER + PIECE);
  }

  open(kind, id, addr, port) {
    const host = utf8(addr);
    const [bytes, view] = message(OPEN[kind], id, 2 + host.length);
    view.setUint16(HEADER, port);
    bytes.set(host, HEADER + 2);
    return bytes;
  }

  send(id, data) {
    const [bytes] = message(0x04, id, data.length, this.#buffer);
    bytes.set(data, HEADER);
    return bytes;
  }

  sendTo(id, addr, port, data) {
    const host = utf8(addr);
    const [bytes, view] = message(0x07, id, 4 + host.length + data.length);
    view.setUint16(HEADER, port);
    view.setUint16(HEADER + 2, host.length);
    bytes.set(host, HEADER + 4);
    bytes.set(data, HEADER + 4 + host.length);
    return bytes;
  }

  resolve(id, name) {
    const host = utf8(name);
    const [bytes] = message(0x08, id, host.length);
    bytes.set(host, HEADER);
    return bytes;
  }

  listen(id, backlog) { return this.#number(0x03, id, backlog); }
  window(id, count) { return this.#number(0x0a, id, count); }
  close(id) { return message(0x05, id, 0)[0]; }
  shutdown(id) { return message(0x0b, id, 0)[0]; }
  reset(id) { return message(0x0c, id, 0)[0]; }

  #number(type, id, value) {
    const [bytes, view] = message(type, id, 4);
    view.setUint32(HEADER, value);
    return bytes;
  }

  /** @returns an event `{ev, id, ...}`, or null for a type that is not known; throws on a message that cannot be read. */
  decode(buffer) {
    const bytes = new Uint8Array(buffer);
    const view = new DataView(buffer);
    const type = bytes[0];
    const id = view.getUint32(1) * 0x100000000 + view.getUint32(5);
    const v2 = this.version === 2;
    const rest = (offset) => text(bytes.subarray(offset));
    switch (type) {
      case 0x82: return { ev: "data", id, data: bytes.subarray(HEADER) };
      case 0x81: return { ...(v2 ? JSON.parse(rest(HEADER)) : null), ev: "connected", id };
      case 0x83: case 0x8a: return { ev: PORT_PAYLOAD[type], id, port: view.getUint16(HEADER) };
      case 0x84: {
        const connId = view.getUint32(HEADER) * 0x100000000 + view.getUint32(HEADER + 4);
        return { ev: "accepted", id, connId, remote: rest(HEADER + 8) };
      }
      case 0x85: return v2
        ? { ev: "closed", id, code: wordOf(view.getUint8(HEADER)), message: rest(HEADER + 1) }
        : { ev: "closed", id };
      case 0x86: case 0x87: return v2
        ? { ev: TEXT_PAYLOAD[type], id, code: wordOf(view.getUint8(HEADER)), retryAfterMs: view.getUint32(HEADER + 1),
            message: rest(HEADER + 5) }
        : { ev: TEXT_PAYLOAD[type], id, message: rest(HEADER) };
      case 0x88: {
        const start = HEADER + 4 + view.getUint16(HEADER + 2);
        if (start > bytes.length) throw new RangeError("data_from is short");
        return { ev: "data_from", id, port: view.getUint16(HEADER), addr: text(bytes.subarray(HEADER + 4, start)),
          data: bytes.subarray(start) };
      }
      case 0x89: return { ev: "resolved", id, addrs: JSON.parse(rest(HEADER)) };
    }
    if (!v2) return null;
    switch (type) {
      case 0x8b: return { ev: "window", id, bytes: view.getUint32(HEADER) };
      case 0x8c: return { ev: "end", id };
      case 0x8d: return { ev: "goaway", id, reconnectInMs: view.getUint32(HEADER), message: rest(HEADER + 4) };
      case 0x90: return { ...NO_TERMS, ...JSON.parse(rest(HEADER)), ev: "hello", id };
    }
    return null;
  }
}

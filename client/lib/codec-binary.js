// Binary messages: [type][id, 64 bits big-endian][payload]. v1 and v2 differ in four events and in v2's additional messages.

import { text, utf8 } from "./bytes.js";
import { optionsOf } from "./check.js";
import { wordOf } from "./errors.js";

const HEADER = 9;
/** The largest payload of one message; JSON's grows by a third. */
export const PIECE = 64 << 10;
/**
 * The longest message in which pieces are gathered: each message is expensive for a browser, whatever its size. A node buffers this much
 * of an incomplete message for each session, outside the 2 MiB that a client has for incomplete messages.
 */
export const GATHERED = HEADER + (192 << 10);
export const OPEN = {
  tcp: [0x01, "connect"], tls: [0x09, "connect_tls"], udp: [0x06, "connect_udp"], listener: [0x02, "bind"], "udp-listener": [0x0d, "bind_udp"],
};

/** Parts are bytes, or numbers of 16 bits. The buffer may already contain the beginning of a message. */
function message(type, id, parts = [], buffer, begun) {
  let at = begun || HEADER;
  let length = at;
  for (const part of parts) length += part.length ?? 2;
  const bytes = new Uint8Array(buffer ?? new ArrayBuffer(length), 0, length);
  const view = new DataView(bytes.buffer);
  bytes[0] = type;
  view.setBigUint64(1, BigInt(id));
  for (const part of parts) {
    if (part.length >= 0) bytes.set(part, at);
    else view.setUint16(at, part);
    at += part.length ?? 2;
  }
  return bytes;
}

export class BinaryCodec {
  _buffer;

  /**
   * @param {boolean} [isCopied] whether a message is copied when it is sent: then one buffer sends all data, and stays in the cache
   * @param {boolean} [isCopied] whether a message is copied when it is sent: then all data goes out in one buffer, which stays in the cache
   */
  constructor(version, isCopied) {
    this.version = version;
    if (isCopied) this._buffer = new ArrayBuffer(GATHERED);
  }

  open(kind, id, addr, port) { return message(OPEN[kind][0], id, [port, utf8(addr)]); }
  /** @param [begun] length of a message of the same socket in the one buffer, to which the data is appended */
  send(id, data, begun) { return message(0x04, id, [data], this._buffer, begun); }
  sendTo(id, addr, port, data) {
    const host = utf8(addr);
    return message(0x07, id, [port, host.length, host, data]);
  }
  resolve(id, name) { return message(0x08, id, [utf8(name)]); }
  listen(id, backlog) { return message(0x03, id, [0, backlog]); }
  window(id, count) { return message(0x0a, id, [count / 65536, count]); }
  close(id) { return message(0x05, id); }
  shutdown(id) { return message(0x0b, id); }
  reset(id) { return message(0x0c, id); }

  /** @returns an event `{ev, id, ...}`, or null for an unknown type; throws if the message cannot be read. */
  decode(buffer) {
    // Throws if it is text.
    const view = new DataView(buffer);
    const bytes = new Uint8Array(buffer);
    const type = bytes[0];
    const idAt = (offset) => Number(view.getBigUint64(offset));
    const id = idAt(1);
    const v2 = this.version === 2;
    const rest = (offset) => text(bytes.subarray(offset));
    const fields = () => optionsOf(JSON.parse(rest(HEADER)), "JSON");
    switch (type) {
      case 0x82: return { ev: "data", id, data: bytes.subarray(HEADER) };
      case 0x81: return { ...(v2 && fields()), ev: "connected", id };
      case 0x83: case 0x8a: return { ev: type > 0x83 ? "udp_bound" : "listening", id, port: view.getUint16(HEADER) };
      case 0x84: return { ev: "accepted", id, connId: idAt(HEADER), remote: rest(HEADER + 8) };
      case 0x85: return { ev: "closed", id, ...(v2 && { code: wordOf(view.getUint8(HEADER)), message: rest(HEADER + 1) }) };
      case 0x86: case 0x87: return {
        ev: type > 0x86 ? "denied" : "error", id, ...(v2 && { code: wordOf(view.getUint8(HEADER)), retryAfterMs: view.getUint32(HEADER + 1) }),
        message: rest(v2 ? HEADER + 5 : HEADER),
      };
      case 0x88: {
        const start = HEADER + 4 + view.getUint16(HEADER + 2);
        // Throws if the address is truncated.
        view.getUint8(start - 1);
        return { ev: "data_from", id, port: view.getUint16(HEADER), addr: text(bytes.subarray(HEADER + 4, start)),
          data: bytes.subarray(start) };
      }
      case 0x89: return { ev: "resolved", id, addrs: JSON.parse(rest(HEADER)) };
      case v2 && 0x8b: return { ev: "window", id, bytes: view.getUint32(HEADER) };
      case v2 && 0x8c: return { ev: "end", id };
      case v2 && 0x8d: return { ev: "goaway", id, reconnectInMs: view.getUint32(HEADER), message: rest(HEADER + 4) };
      // With the required fields of a hello.
      case v2 && 0x90: return { window: 0, max_message: 0, max_sockets: 0, heartbeat_ms: 0, ...fields(), ev: "hello", id };
    }
    return null;
  }
}

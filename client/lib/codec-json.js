// v1's text messages: JSON objects, requests tagged `op`, events tagged `ev`, bytes in base64.

import { fromBase64, toBase64 } from "./bytes.js";
import { wordOf } from "./errors.js";

const OPEN = { tcp: "connect", tls: "connect_tls", udp: "connect_udp", listener: "bind", "udp-listener": "bind_udp" };

const write = (op, id, fields) => JSON.stringify({ op, id, ...fields });

export class JsonCodec {
  open(kind, id, addr, port) { return write(OPEN[kind], id, { addr, port }); }
  send(id, data) { return write("send", id, { data: toBase64(data) }); }
  sendTo(id, addr, port, data) { return write("send_to", id, { addr, port, data: toBase64(data) }); }
  resolve(id, name) { return write("resolve", id, { name }); }
  listen(id, backlog) { return write("listen", id, { backlog }); }
  close(id) { return write("close", id); }

  /** @returns an event as the binary codec's; throws on a message that cannot be read. */
  decode(string) {
    const { ev, id, ...rest } = JSON.parse(string);
    const event = { ev, id };
    switch (ev) {
      case "data": event.data = fromBase64(rest.data); break;
      case "data_from":
        event.data = fromBase64(rest.data);
        event.addr = rest.addr;
        event.port = rest.port;
        break;
      case "accepted":
        event.connId = rest.conn_id;
        event.remote = rest.remote;
        break;
      case "connected":
        event.local = rest.local;
        event.remote = rest.remote;
        event.alpn = rest.alpn;
        break;
      case "closed": case "error": case "denied":
        event.code = rest.code && wordOf(rest.code);
        event.message = rest.msg;
        event.retryAfterMs = rest.retry_after_ms;
        break;
      case "listening": case "udp_bound": event.port = rest.port; break;
      case "resolved": event.addrs = rest.addrs; break;
      default:
        if (typeof ev !== "string") throw ev;
        return null;
    }
    return event;
  }
}

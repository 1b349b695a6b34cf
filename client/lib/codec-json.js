// v1's text messages: JSON objects, requests tagged `op`, events tagged `ev`, bytes in base64.

import { fromBase64, toBase64 } from "./bytes.js";
import { check } from "./check.js";
import { OPEN } from "./codec-binary.js";
import { wordOf } from "./errors.js";

const write = (op, id, fields) => JSON.stringify({ op, id, ...fields });

export class JsonCodec {
  open(kind, id, addr, port) { return write(OPEN[kind][1], id, { addr, port }); }
  send(id, data) { return write("send", id, { data: toBase64(data) }); }
  sendTo(id, addr, port, data) { return write("send_to", id, { addr, port, data: toBase64(data) }); }
  resolve(id, name) { return write("resolve", id, { name }); }
  listen(id, backlog) { return write("listen", id, { backlog }); }
  close(id) { return write("close", id); }

  /** @returns an event like the binary codec's; throws if the message cannot be read. */
  decode(string) {
    const { ev, id, data, addr, port, conn_id: connId, local, remote, alpn, code, msg: message, retry_after_ms: retryAfterMs, addrs } = JSON.parse(string);
    switch (ev) {
      case "data": return { ev, id, data: fromBase64(data) };
      case "data_from": return { ev, id, addr, port, data: fromBase64(data) };
      case "accepted": return { ev, id, connId, remote };
      case "connected": return { ev, id, local, remote, alpn };
      case "closed": case "error": case "denied": return { ev, id, code: code && wordOf(code), message, retryAfterMs };
      case "listening": case "udp_bound": return { ev, id, port };
      case "resolved": return { ev, id, addrs };
    }
    check("ev", ev, 128);
    return null;
  }
}

// A client of the servers that guests are.

import { once } from "node:events";
import { connect } from "node:net";

/** Sends `text` and its end to a port; resolves to the whole answer. */
export async function talk(port, text) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const parts = [];
  socket.on("data", (part) => parts.push(part));
  socket.end(text);
  await once(socket, "close");
  return Buffer.concat(parts).toString();
}

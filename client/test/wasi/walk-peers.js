// The peers of the socket walk, on loopback, natively and from a guest alike.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { startTcp } from "./peers.js";

/** Low ports, which no other program takes meanwhile, unlike an ephemeral one. */
const closedPort = 1;

/** The result has the walk's arguments except the last, and end(). */
export async function startWalkPeers() {
  const echo = await startTcp((socket) => {
    socket.setNoDelay(true);
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => socket.end());
  });
  const resets = await startTcp((socket) => socket.on("data", () => socket.resetAndDestroy()));
  const ends = await startTcp((socket) => socket.end().resume());
  const datagrams = createSocket("udp4", (bytes, { port, address }) => datagrams.send(bytes, port, address)).on("error", () => {});
  datagrams.bind(0, "127.0.0.1");
  await once(datagrams, "listening");
  return {
    args: ["127.0.0.1", ...[echo.port, resets.port, ends.port, closedPort, datagrams.address().port, closedPort].map(String)],
    async end() {
      for (const peer of [echo, resets, ends]) await peer.end();
      datagrams.close();
    },
  };
}

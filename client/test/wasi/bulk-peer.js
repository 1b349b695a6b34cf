// Peers of the guests' own small protocols, on loopback.

import { checksum, hex } from "./checksum.js";
import { startTcp } from "./peers.js";

const block = 256 * 1024;

export { checksum, hex };

/** Bytes `offset` to `offset + length` of the stream that guests and peers send; it repeats every 2048 bytes. */
const period = Uint8Array.from({ length: 2048 }, (_, i) => (i * 31) >> 3);
function pattern(offset, length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const from = (offset + at) % 2048;
    const count = Math.min(2048 - from, length - at);
    bytes.set(period.subarray(from, from + count), at);
    at += count;
  }
  return bytes;
}

/** The checksum of the first `count` bytes of that stream. */
export function patternChecksum(count) {
  let hash = 2166136261;
  for (let at = 0; at < count; at += block) hash = checksum(pattern(at, Math.min(block, count - at)), hash);
  return hash;
}

/** Answers "get N" with N bytes and its end, "put N" with the checksum and length of its input. `sent` counts bytes sent to the node. */
export async function startBulk() {
  const peer = await startTcp((socket) => {
    let header = "";
    const first = (bytes) => {
      header += bytes.toString("latin1");
      const end = header.indexOf("\n");
      if (end < 0) return;
      socket.off("data", first);
      const [verb, count] = header.slice(0, end).split(" ");
      if (verb === "get") get(socket, Number(count), peer);
      else put(socket, Buffer.from(header.slice(end + 1), "latin1"));
    };
    socket.on("data", first);
    // A client that ends without a request gets an end too.
    socket.on("end", () => { if (!header.includes("\n")) socket.end(); });
  });
  peer.sent = 0;
  return peer;
}

function get(socket, count, peer) {
  let offset = 0;
  const more = () => {
    while (offset < count) {
      const part = pattern(offset, Math.min(block, count - offset));
      offset += part.length;
      if (!socket.write(part, () => { peer.sent += part.length; })) return void socket.once("drain", more);
    }
    socket.end();
  };
  more();
}

function put(socket, rest) {
  let hash = checksum(rest);
  let count = rest.length;
  socket.on("data", (bytes) => {
    hash = checksum(bytes, hash);
    count += bytes.length;
  });
  socket.on("end", () => socket.end(`${hex(hash)} ${count}`));
}

/** Answers each line "after MS TEXT" with TEXT after MS milliseconds, and "bye" with its end. */
export function startTimed() {
  return startTcp((socket) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const [verb, ms, answer] = text.slice(0, end).split(" ");
        text = text.slice(end + 1);
        if (verb === "bye") socket.end();
        else setTimeout(() => socket.write(answer), Number(ms));
      }
    });
  });
}

/** Returns its input. */
export const startEcho = (host) => startTcp((socket) => socket.pipe(socket), host);

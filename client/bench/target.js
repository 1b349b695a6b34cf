// The targets of the bench.

import { startTcp } from "../test/wasi/peers.js";

/** Answers "get N" with N bytes and its end, "put N" with a line when N bytes have arrived. */
export function startBenchTarget() {
  const block = Buffer.alloc(256 << 10, 7);
  const get = (socket, left) => {
    const more = () => {
      while (left > 0) {
        const part = left < block.length ? block.subarray(0, left) : block;
        left -= part.length;
        if (!socket.write(part)) return void socket.once("drain", more);
      }
      socket.end();
    };
    more();
  };
  return startTcp((socket) => {
    let line = "";
    let left = Infinity;
    socket.on("end", () => socket.end());
    socket.on("data", (bytes) => {
      if (left === Infinity) {
        const end = bytes.indexOf("\n");
        line += bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
        if (end < 0) return;
        const [verb, count] = line.split(" ");
        if (verb === "get") return get(socket, Number(count));
        left = Number(count) + end + 1;
      }
      left -= bytes.length;
      if (left <= 0) socket.end(`${line}\n`);
    });
  });
}

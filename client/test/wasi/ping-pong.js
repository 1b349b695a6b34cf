// What the guest ping-pong does, in JavaScript on the plain client.

import { WasmnetClient } from "../../wasmnet-client.js";

/** The median round trip of one byte, in whole microseconds. */
export async function pingPong({ url, port, count }) {
  const client = new WasmnetClient(url);
  await client.ready();
  const warm = count / 10;
  const took = [];
  const byte = Uint8Array.of(120);
  let started = 0;
  let rounds = 0;
  await new Promise((resolve) => {
    const ping = () => {
      started = performance.now();
      socket.send(byte);
    };
    const socket = client.socket("tcp", "127.0.0.1", port, {
      onopen: ping,
      ondata: (chunk) => {
        if (++rounds > warm) took.push(performance.now() - started);
        socket.consumed(chunk.length);
        if (took.length < count) ping();
        else resolve();
      },
    });
  });
  client.disconnect();
  took.sort((a, b) => a - b);
  return Math.round(took[count / 2] * 1000);
}

if (typeof document === "undefined") onmessage = async ({ data }) => postMessage(await pingPong(data));

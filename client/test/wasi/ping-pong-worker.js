// What the guest ping-pong does, in JavaScript on the plain client.

import { WasmnetClient } from "../../wasmnet-client.js";

onmessage = async ({ data: { url, port, count } }) => {
  const client = new WasmnetClient(url);
  await client.ready();
  const warm = count / 10;
  const took = [];
  const byte = Uint8Array.of(120);
  let started = 0;
  let rounds = 0;
  const socket = client.socket("tcp", "127.0.0.1", port, {
    onopen: () => ping(),
    ondata: (chunk) => {
      if (++rounds > warm) took.push(performance.now() - started);
      socket.consumed(chunk.length);
      if (took.length < count) return ping();
      took.sort((a, b) => a - b);
      client.disconnect();
      postMessage(Math.round(took[count / 2] * 1000));
    },
  });
  function ping() {
    started = performance.now();
    socket.send(byte);
  }
};

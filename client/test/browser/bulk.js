// Much data down and up, beside a socket that is not read.

import { WasmnetClient } from "/client/wasmnet-client.js";
import { report } from "./page.js";

const MIB = 1 << 20;

report(async ({ url, floodPort, sinkPort, mib }) => {
  const client = new WasmnetClient(url);
  const stalled = client.open(`127.0.0.1:${floodPort}`);
  await stalled.opened;
  const rate = async (work) => {
    const started = performance.now();
    await work();
    return Math.round(mib / ((performance.now() - started) / 1000));
  };

  const down = client.open(`127.0.0.1:${floodPort}`);
  const reader = down.readable.getReader();
  const downRate = await rate(async () => {
    for (let count = 0; count < mib * MIB;) count += (await reader.read()).value.length;
  });
  down.reset();

  const up = client.open(`127.0.0.1:${sinkPort}`);
  const writer = up.writable.getWriter();
  const chunk = new Uint8Array(MIB / 4);
  let mostBuffered = 0;
  const upRate = await rate(async () => {
    for (let count = 0; count < mib * MIB; count += chunk.length) {
      await writer.write(chunk);
      mostBuffered = Math.max(mostBuffered, client.ws.bufferedAmount);
    }
  });
  await up.close();
  return { downRate, upRate, mostBuffered, waiting: stalled.socket.waitingBytes, window: client.terms.window };
});

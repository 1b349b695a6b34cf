// In front of a node: interrupts the first connections before the handshake's answer, as networks and proxies do.

import { connect, createServer } from "node:net";
import { once } from "node:events";

/** @returns {Promise<{url, offers: string[], times: number[], cuts: number}>} `cuts` can be set again; `offers` and `times` are each handshake's, in ms */
export async function startCutter(t, node, cuts) {
  const cutter = { cuts, offers: [], times: [] };
  const open = new Set();
  const server = createServer((from) => {
    open.add(from);
    from.on("close", () => open.delete(from)).on("error", () => {});
    from.once("data", (head) => {
      cutter.times.push(performance.now());
      cutter.offers.push(/^sec-websocket-protocol: *(.*?)\r$/im.exec(head.toString("latin1"))?.[1] ?? "");
      if (cutter.cuts-- > 0) return from.destroy();
      const to = connect(node.port, "127.0.0.1");
      open.add(to);
      to.on("error", () => from.destroy()).on("close", () => from.destroySoon());
      to.write(head);
      from.pipe(to).pipe(from);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  cutter.url = `ws://127.0.0.1:${server.address().port}/`;
  return cutter;
}

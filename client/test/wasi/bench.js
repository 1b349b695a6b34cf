// Prints the median round trip of one byte, of a guest and of the plain client in the same thread of the same page: node client/test/wasi/bench.js

import { MODES, buildGuests } from "./modes.js";
import { openSession } from "./session.js";
import { programs } from "./programs.js";
import { startNode } from "./peers.js";
import { startEcho } from "./bulk-peer.js";

const count = 3000;

buildGuests();
const node = await startNode();
const echo = await startEcho("127.0.0.1");
try {
  for (const { name, browser, strategy, isolated } of MODES) {
    const session = await openSession(browser, { isolated });
    try {
      const plain = await session.call("plainPingPong", { strategy, url: node.url, port: echo.port, count });
      const { run } = programs(session, { url: node.url, strategy });
      const { stdout } = await run("ping-pong", ["127.0.0.1", String(echo.port), String(count)]);
      const guest = Number(stdout);
      // A browser's clock may be too coarse for a round trip in a page that is not isolated.
      if (plain === 0) console.log(`${name}: the page's clock is too coarse`);
      else console.log(`${name}: plain client ${plain} us, guest ${guest} us, ${(guest / plain).toFixed(2)} times`);
    } finally {
      await session.close();
    }
  }
} finally {
  await echo.end();
  await node.end();
}

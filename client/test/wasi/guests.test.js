// Guests in real browsers, through a real node, to real servers: every scenario in every mode, one browser a mode.

import { after, before, test } from "node:test";
import { MODES, buildGuests } from "./modes.js";
import { openSession } from "./session.js";
import { programs } from "./programs.js";
import { startPeers } from "./all-peers.js";
import { clients } from "./scenarios/clients.js";
import { servers } from "./scenarios/servers.js";

let peers;
before(async () => {
  buildGuests();
  peers = await startPeers();
}, { timeout: 600000 });
after(() => peers?.end());

for (const mode of MODES) {
  test(mode.name, { timeout: 300000 }, async (t) => {
    const session = await openSession(mode.browser, { isolated: mode.isolated });
    try {
      if (!session.features[mode.strategy === "jspi" ? "jspi" : "shared"]) {
        t.skip(`${mode.browser} has no ${mode.strategy}`);
        return;
      }
      const tools = { ...programs(session, { url: peers.node.url, strategy: mode.strategy }), session, peers, mode };
      for (const [name, scenario] of Object.entries({ ...clients, ...servers })) {
        await t.test(name, { timeout: 30000 }, () => scenario(tools));
      }
    } finally {
      await session.close();
    }
  });
}

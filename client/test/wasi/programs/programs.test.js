// Programs from Debian's source packages, unmodified, in real browsers through a real node. Their first build takes some minutes; they are
// kept until their script or guests/libc changes. WASMNET_SCENARIOS=REGEXP picks scenarios by name.

import { after, before, test } from "node:test";
import { MODES, buildGuests } from "../modes.js";
import { openSession } from "../session.js";
import { programs } from "../programs.js";
import { startProgramPeers } from "./peers.js";
import { scenarios } from "./scenarios.js";

const wanted = new RegExp(process.env.WASMNET_SCENARIOS ?? "", "i");

let peers;
before(async () => {
  buildGuests(["curl", "adig", "nc", "sic", "mosquitto"]);
  peers = await startProgramPeers();
}, { timeout: 1200000 });
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
      for (const [name, scenario] of Object.entries(scenarios)) {
        if (wanted.test(name)) await t.test(name, { timeout: 60000 }, () => scenario(tools));
      }
    } finally {
      await session.close();
    }
  });
}

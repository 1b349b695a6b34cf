// Guests in real browsers, through a real node, to real servers: every scenario in every mode, one browser a mode.
// WASMNET_SCENARIOS=REGEXP picks scenarios by name.

import { after, before, test } from "node:test";
import { MODES, buildGuests } from "./modes.js";
import { openSession } from "./session.js";
import { programs } from "./programs.js";
import { startPeers } from "./all-peers.js";
import { clients } from "./scenarios/clients.js";
import { walk } from "./scenarios/walk.js";
import { servers } from "./scenarios/servers.js";
import { bulk } from "./scenarios/bulk.js";
import { others } from "./scenarios/others.js";
import { denied } from "./scenarios/denied.js";
import { loss } from "./scenarios/loss.js";
import { emscripten } from "./scenarios/emscripten.js";
import { wasip2 } from "./scenarios/wasip2.js";
import { output } from "./scenarios/output.js";

const scenarios = { ...clients, ...walk, ...servers, ...others, ...emscripten, ...wasip2, ...output, ...denied, ...bulk, ...loss };

const wanted = new RegExp(process.env.WASMNET_SCENARIOS ?? "", "i");

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
      for (const [name, scenario] of Object.entries(scenarios)) {
        if (!wanted.test(name)) continue;
        // A figure that was seen goes into the test's output.
        await t.test(name, { timeout: 30000 }, (each) => scenario({ ...tools, note: (text) => each.diagnostic(`${mode.name}: ${text}`) }));
      }
    } finally {
      await session.close();
    }
  });
}

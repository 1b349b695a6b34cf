// Scenarios as tests, in every mode, one browser a mode. WASMNET_SCENARIOS=REGEXP selects scenarios by name.

import { after, before, test } from "node:test";
import { MODES, buildGuests } from "./modes.js";
import { programs } from "./programs.js";
import { openSession } from "./session.js";

const wanted = new RegExp(process.env.WASMNET_SCENARIOS ?? "", "i");

/**
 * @param {Record<string, ((tools) => Promise<void>) & {timeoutMs?: number}>} scenarios
 * @param {() => Promise<{node, end()}>} startPeers the peers, started once
 * @param {{guests?: string[], buildMs: number, scenarioMs: number}} options the guests that are built; none: all of guests/Makefile's first goal
 */
export function testInModes(scenarios, startPeers, { guests, buildMs, scenarioMs }) {
  let peers;
  before(async () => {
    buildGuests(guests);
    peers = await startPeers();
  }, { timeout: buildMs });
  after(() => peers?.end());

  const longest = Math.max(...Object.values(scenarios).map(({ timeoutMs = 0 }) => timeoutMs));
  for (const mode of MODES) {
    test(mode.name, { timeout: 300000 + longest }, async (t) => {
      const session = await openSession(mode.browser, { isolated: mode.isolated });
      try {
        if (!session.features[mode.strategy === "jspi" ? "jspi" : "shared"]) {
          t.skip(`${mode.browser} has no ${mode.strategy}`);
          return;
        }
        const tools = { ...programs(session, { url: peers.node.url, strategy: mode.strategy }), session, peers, mode };
        for (const [name, scenario] of Object.entries(scenarios)) {
          if (!wanted.test(name)) continue;
          // A measured figure is printed in the test's output.
          await t.test(name, { timeout: scenario.timeoutMs ?? scenarioMs }, (each) => scenario({ ...tools, note: (text) => each.diagnostic(`${mode.name}: ${text}`) }));
        }
      } finally {
        await session.close();
      }
    });
  }
}

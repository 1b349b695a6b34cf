// Guests in real browsers, through a real node, to real servers.

import { startPeers } from "./all-peers.js";
import { testInModes } from "./runner.js";
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

testInModes(scenarios, startPeers, { buildMs: 600000, scenarioMs: 60000 });

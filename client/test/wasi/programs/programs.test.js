// Programs from Debian's source packages, unmodified, in real browsers through a real node. Their first build takes some minutes; they are
// kept until their script or guests/libc changes.

import { testInModes } from "../runner.js";
import { startProgramPeers } from "./peers.js";
import { scenarios } from "./scenarios.js";

testInModes(scenarios, startProgramPeers, { guests: ["curl", "adig", "nc", "sic", "mosquitto"], buildMs: 1200000, scenarioMs: 60000 });

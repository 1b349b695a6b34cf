// A socket through every order of its calls: a guest's results against those of the same program as a process of this machine.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { GUESTS } from "../session.js";
import { walkDifferences } from "../walk-differences.js";
import { compare } from "../walk-table.js";

const execute = promisify(execFile);

/** Consecutive calls. Three are 27,000 walks, half a minute in each page: WASMNET_WALK=3 runs them; only the listed differences occur. */
const depth = process.env.WASMNET_WALK ?? "2";

let native; // the table, made once for all modes

export const walk = {
  "every order of a socket's calls answers as on Linux, but for what is listed": async ({ run, peers, note }) => {
    native ??= execute(join(GUESTS, "native/socket-walk"), [...peers.walk.args, depth], { timeout: 60000, maxBuffer: 64 << 20 });
    const here = await run("socket-walk", [...peers.walk.args, depth]);
    assert.deepEqual([here.exitCode, here.stderr], [0, ""]);
    const { steps, differing, unknown } = compare((await native).stdout, here.stdout, walkDifferences);
    note(`${steps} answers, ${differing} differ, ${unknown.length} of them not as listed`);
    assert.deepEqual(unknown, []);
  },
};

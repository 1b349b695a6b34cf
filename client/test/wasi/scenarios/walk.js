// A socket through every order of its calls: a guest's results against those of the same program as a process of this machine.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { GUESTS } from "../session.js";
import { walkDifferences } from "../walk-differences.js";
import { compare } from "../walk-table.js";

const execute = promisify(execFile);

/** Consecutive calls from each start. Two are 4,500 walks, some seconds in each page; three are 82,000, minutes: `make test-walk`. */
const depth = Number(process.env.WASMNET_WALK ?? 2);
const timeoutMs = depth > 2 ? 900000 : 180000;

let native; // the table, made once for all modes
let nativeEdges;

export const walk = {
  "every order of a socket's calls answers as on Linux, but for what is listed": Object.assign(async ({ run, peers, note }) => {
    const args = [...peers.walk.args, String(depth)];
    native ??= execute(join(GUESTS, "native/socket-walk"), args, { timeout: timeoutMs, maxBuffer: 64 << 20 });
    const here = await run("socket-walk", args);
    assert.deepEqual([here.exitCode, here.stderr], [0, ""]);
    const { steps, differing, unknown, unused } = compare((await native).stdout, here.stdout, walkDifferences);
    note(`${steps} answers, ${differing} differ, ${unknown.length} of them not as listed`);
    assert.deepEqual(unknown, []);
    const unneeded = unused.filter((rule) => depth >= (rule.depth ?? 2));
    assert.deepEqual(unneeded, [], "what is listed and does not differ any more");
  }, { timeoutMs }),

  "both families, waits for all bytes, odd names and arguments answer as on Linux": async ({ run, peers }) => {
    const [, echo, , , , udpEcho] = peers.walk.args;
    nativeEdges ??= execute(join(GUESTS, "native/socket-edges"), [echo, udpEcho], { timeout: 30000 });
    const here = await run("socket-edges", [echo, udpEcho]);
    assert.deepEqual([here.exitCode, here.stderr, here.stdout.split("\n")], [0, "", (await nativeEdges).stdout.split("\n")]);
  },
};

// Many bytes: complete, bounded, and separate for each guest.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { hex, patternChecksum } from "../bulk-peer.js";

const MiB = 1024 * 1024;
const size = 64 * MiB;
let sizeChecksum = null;
const expected = () => (sizeChecksum ??= hex(patternChecksum(size)));

export const bulk = {
  "64 MiB down, with a checksum": async ({ run, peers, note }) => {
    const result = await run("transfer", ["get", "127.0.0.1", String(peers.bulk.port), String(size)]);
    assert.equal(result.stdout, `${size} ${expected()}\n`, result.stderr);
    note(`64 MiB down: ${Math.round(64000 / result.ms)} MiB/s`);
  },

  "64 MiB up, with a checksum": async ({ run, peers, note }) => {
    const result = await run("transfer", ["put", "127.0.0.1", String(peers.bulk.port), String(size)]);
    assert.equal(result.stdout, `${expected()} ${expected()} ${size}\n`, result.stderr);
    note(`64 MiB up: ${Math.round(64000 / result.ms)} MiB/s`);
  },

  "a guest that does not read costs a bounded amount, and no other guest its speed": async ({ run, start, session, peers, note }) => {
    await session.call("openClient", { name: "shared", url: peers.node.url });
    const shared = { url: undefined, client: "shared" };
    const get = (count) => run("transfer", ["get", "127.0.0.1", String(peers.bulk.port), String(count)], shared);
    // Warm, so that the times compare transfers and not compilations.
    await get(MiB);
    // The quickest of three: other load on the machine also takes time.
    const quickest = async () => {
      const times = [];
      for (let i = 0; i < 3; i++) times.push((await get(16 * MiB)).ms);
      return Math.min(...times);
    };
    const before = { ms: await quickest(), node: await residentOf(peers.node.pid), browser: await residentOfGroup(session.pid) };
    const sent = peers.bulk.sent;

    const stalled = start("transfer", ["stall", "127.0.0.1", String(peers.bulk.port), String(size)], { ...shared, stdin: true });
    await stalled.said(/stalled/);
    await settled(() => peers.bulk.sent);
    const inFlight = peers.bulk.sent - sent;
    const grown = { node: await residentOf(peers.node.pid) - before.node, browser: await residentOfGroup(session.pid) - before.browser };
    const meanwhile = { ms: await quickest() };
    note(`not read: ${mib(inFlight)} MiB on its way of 64; node grew by ${mib(grown.node)} MiB to ${mib(before.node + grown.node)}, browser by ${mib(grown.browser)} to ${mib(before.browser + grown.browser)}; `
      + `another guest's 16 MiB took ${Math.round(meanwhile.ms)} ms, ${Math.round(before.ms)} ms before`);
    assert.ok(inFlight < 24 * MiB, `${mib(inFlight)} MiB left the server`);
    assert.ok(grown.node < 24 * MiB, `the node grew by ${mib(grown.node)} MiB`);
    assert.ok(grown.browser < 96 * MiB, `the browser grew by ${mib(grown.browser)} MiB`);
    assert.ok(meanwhile.ms < before.ms * 5 + 500, `${meanwhile.ms} ms beside the stalled guest, ${before.ms} ms without`);

    await stalled.input("go on\n");
    const result = await stalled.ended;
    assert.equal(result.stdout, `stalled\n${size} ${expected()}\n`, result.stderr);
    await session.call("closeClient", { name: "shared" });
  },
};

const mib = (bytes) => (bytes / MiB).toFixed(1);

/** Waits until `read()` has not changed for half a second. */
async function settled(read) {
  for (let last = -1, same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

/** Resident bytes of a process. */
async function residentOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** Resident bytes of a browser: every process of its group, with shared memory counted once each. */
async function residentOfGroup(group) {
  let sum = 0;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ");
      if (Number(fields[2]) === group) sum += await residentOf(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}

// The resource use of a browser's processes, from /proc.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const TICK_MS = 10;

/** Every process of a group: { pid, cpuMs, command }. */
function processes(group) {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
      if (Number(fields[2]) !== group) continue;
      found.push({ pid, cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, command: readFileSync(`/proc/${pid}/cmdline`, "utf8") });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** Milliseconds of CPU that the browser has used. */
export const cpuOf = (group) => processes(group).reduce((sum, { cpuMs }) => sum + cpuMs, 0);

function memory(pid, name) {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** A page's process, not one of the browser's own. */
const isPage = ({ command }) => /type=renderer|-contentproc/.test(command) && !command.includes("--top-chrome-webui");

/** The maximum growth of the page's process in MiB while `work` runs: resident, by the kernel's own high-water mark. */
export async function growthOf(group, work) {
  const pages = processes(group).filter(isPage).map(({ pid }) => {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
    return { pid, before: memory(pid, "VmRSS") };
  });
  await work();
  return Math.max(...pages.map(({ pid, before }) => memory(pid, "VmHWM") - before));
}

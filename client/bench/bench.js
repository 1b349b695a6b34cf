// The cost of the client in a page, beside a plain WebSocket that moves the same bytes through the same node and targets: alternating
// in one browser. `make bench-client`; WASMNET_NODE names the node.
//
//   node client/bench/bench.js [--rounds 5] [--mib 64] [--browser chromium] [--beside FOLDER]
//     [--only REGEXP] [--tables down,up,pings,connects,memory]
//
// --beside also measures the client of another checkout (its client/), alternating with this one.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildGuests } from "../test/wasi/modes.js";
import { startEcho } from "../test/wasi/bulk-peer.js";
import { startNode } from "../test/wasi/peers.js";
import { openSession } from "../test/wasi/session.js";
import { cpuOf, growthOf } from "./meters.js";
import { startBenchTarget } from "./target.js";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" }, mib: { type: "string", default: "64" }, browser: { type: "string", default: "chromium" },
    only: { type: "string", default: "" }, tables: { type: "string", default: "down,up,pings,connects,memory" }, beside: { type: "string" },
  },
});
const ROUNDS = Number(options.rounds);
const MIB = 1 << 20;
const BYTES = Number(options.mib) * MIB;
const PINGS = 1000;
const CONNECTS = 200;

/** The comparisons: the first of each thread is the baseline of the others. */
const WAYS = [
  { way: "plain", thread: "page", name: "plain WebSocket" },
  { way: "streams", thread: "page", name: "streams" },
  { way: "numbers", thread: "page", name: "numbers" },
  { way: "plain", thread: "worker", name: "plain WebSocket in a Worker" },
  { way: "jspi", thread: "guest", name: "program in a Worker, jspi" },
  { way: "sab", thread: "guest", name: "program in a Worker, sab" },
];

const wanted = new RegExp(options.only);
const bases = { "": "/client/", ...(options.beside ? { " (beside)": "/beside/" } : null) };

/** Every measurement of one kind of work: { name, way, thread, base }. */
const subjects = (ways = WAYS) => ways.flatMap((way) => Object.entries(way.way === "plain" ? { "": "/client/" } : bases)
  .map(([suffix, base]) => ({ ...way, name: way.name + suffix, base })))
  .filter(({ name }) => name.startsWith("plain") || wanted.test(name));

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Runs all ways alternately and returns, by name, the rounds' { ms, cpuMs }. */
async function inTurns(session, list, params, rounds = ROUNDS) {
  const seen = new Map(list.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, ...subject } of list) {
      const before = cpuOf(session.pid);
      const ms = await session.call("measure", { ...subject, ...params });
      seen.get(name).push({ ms, cpuMs: cpuOf(session.pid) - before });
    }
  }
  return seen;
}

/** Median of paired ratios of the first's time to the other's: more is better. */
const ratio = (base, other, field) => median(base.map((round, i) => round[field] / other[i][field])).toFixed(2);

function print(title, columns, rows) {
  console.log(`\n${title}`);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  console.log(`${" ".repeat(width)}${columns.map((column) => column.padStart(12)).join("")}`);
  for (const [name, ...cells] of rows) console.log(`${name.padEnd(width)}${cells.map((cell) => String(cell).padStart(12)).join("")}`);
}

/** The baseline of a row: the first one that was measured in its thread. */
const measureOf = (list, seen, thread) => seen.get(list.find((each) => each.thread === thread).name);

async function transfer(work, session, url, target) {
  const list = subjects();
  const params = { work, url, port: target.port };
  await inTurns(session, list, { ...params, bytes: 4 * MIB }, 1);
  const seen = await inTurns(session, list, { ...params, bytes: BYTES });
  print(`${options.mib} MiB ${work}`, ["MiB/s", "ratio", "CPU ms", "ratio"], list.map(({ name, thread }) => {
    const rounds = seen.get(name);
    const base = measureOf(list, seen, thread);
    return [name, Math.round(BYTES / MIB / median(rounds.map(({ ms }) => ms)) * 1000), ratio(base, rounds, "ms"),
      Math.round(median(rounds.map(({ cpuMs }) => cpuMs))), ratio(base, rounds, "cpuMs")];
  }));
}

async function pings(session, url, target, echo) {
  const list = subjects();
  const seen = await inTurns(session, list, { work: "pingPong", url, port: echo.port, count: PINGS });
  print("Round trip of one byte", ["us", "ratio"], list.map(({ name, thread }) =>
    [name, Math.round(median(seen.get(name).map(({ ms }) => ms)) * 1000), ratio(measureOf(list, seen, thread), seen.get(name), "ms")]));
}

async function connects(session, url, target, echo) {
  const list = subjects(WAYS.filter(({ thread }) => thread === "page"));
  const seen = await inTurns(session, list, { work: "connects", url, port: echo.port, count: CONNECTS });
  print(`${CONNECTS} connects, one after the other`, ["ms", "ratio", "CPU ms", "ratio"], list.map(({ name, thread }) => {
    const [rounds, base] = [seen.get(name), measureOf(list, seen, thread)];
    return [name, Math.round(median(rounds.map(({ ms }) => ms))), ratio(base, rounds, "ms"),
      Math.round(median(rounds.map(({ cpuMs }) => cpuMs))), ratio(base, rounds, "cpuMs")];
  }));
}

/** Each in its own browser: memory left by another would be reused. */
async function memory(open, url, target) {
  const rows = [];
  for (const { name, ...subject } of subjects(WAYS.filter(({ thread }) => thread === "page"))) {
    const grown = [];
    for (const work of ["down", "up"]) {
      const session = await open();
      const measure = (bytes) => session.call("measure", { ...subject, work, url, port: target.port, bytes });
      try {
        await measure(MIB);
        grown.push(Math.round(await growthOf(session.pid, () => measure(BYTES))));
      } finally {
        await session.close();
      }
    }
    rows.push([name, ...grown]);
  }
  print(`By how much the page's process grows over ${options.mib} MiB`, ["down MiB", "up MiB"], rows);
}

const TABLES = { down: transfer.bind(null, "down"), up: transfer.bind(null, "up"), pings, connects };
const wantedTables = options.tables.split(",");

buildGuests(["transfer", "ping-pong"]);
const roots = options.beside ? { "/beside/": resolve(options.beside) } : {};
const open = () => openSession(options.browser, { isolated: true, page: "/client/bench/page.html", roots });
const node = await startNode();
const target = await startBenchTarget();
const echo = await startEcho();
console.log(`${options.browser}, medians of ${ROUNDS} rounds in turns; ratios are to the first row of the same thread, more is better`);
try {
  const session = await open();
  try {
    for (const table of wantedTables.filter((each) => each !== "memory")) await TABLES[table](session, node.url, target, echo);
  } finally {
    await session.close();
  }
  if (wantedTables.includes("memory")) await memory(open, node.url, target);
} finally {
  await target.end();
  await echo.end();
  await node.end();
}

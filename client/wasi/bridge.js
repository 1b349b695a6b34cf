// Combines the core's functions with a base shim's, for one strategy of blocking.

import { Errno } from "./errno.js";

export const namespace = "wasi_snapshot_preview1";

/** Functions that may have to wait; only these suspend, because a suspending import cannot be called everywhere. */
const waits = new Set([
  "sock_accept", "sock_recv", "sock_send", "sock_connect", "sock_bind", "sock_listen", "sock_recv_from", "sock_send_to",
  "sock_getaddrinfo", "sock_getlocaladdr", "fd_read", "fd_write", "poll_oneoff", "sched_yield",
]);

/**
 * The import functions of wasi_snapshot_preview1: the core's for sockets, `base`'s for the rest.
 *
 * @param ownsAllFds whether the core's readiness covers the base's descriptors too
 * @param trace called with a line of text for each call, when it returns
 */
export function combine(base, core, blocker, { ownsAllFds = false, trace } = {}) {
  const { own, shared, poll } = core.functions();
  const all = {};
  for (const [name, call] of Object.entries(base)) all[name] = typeof call === "function" ? core.faultless(call) : call;
  Object.assign(all, own);
  for (const [name, call] of Object.entries(shared)) {
    const otherwise = all[name];
    all[name] = (...args) => (core.table.has(args[0]) ? call(...args) : otherwise ? otherwise(...args) : Errno.BADF);
  }
  const basePoll = all.poll_oneoff;
  all.poll_oneoff = core.faultless((...args) => (ownsAllFds || !basePoll || touchesSockets(core, args[0], args[2]) ? poll(...args) : basePoll(...args)));
  all.sched_yield = () => blocker.yield();
  if (trace) for (const name of Object.keys(all)) all[name] = traced(name, all[name], trace);
  for (const name of Object.keys(all)) if (waits.has(name.replace(/_v2$/, ""))) all[name] = blocker.wrapImport(all[name]);
  return all;
}

function traced(name, call, trace) {
  return (...args) => {
    const tell = (result) => {
      trace(`${name}(${args.join(", ")}) = ${result}\n`);
      return result;
    };
    const result = call(...args);
    return result instanceof Promise ? result.then(tell) : tell(result);
  };
}

// The core also handles a poll of clocks only: a base shim may busy-wait in it.
function touchesSockets(core, pointer, count) {
  let onlyClocks = true;
  for (let i = 0; i < count >>> 0; i++) {
    const at = pointer + i * 48;
    if (core.memory.u8(at + 8) === 0) continue;
    onlyClocks = false;
    if (core.table.has(core.memory.u32(at + 16))) return true;
  }
  return onlyClocks;
}

/** A missing import. */
export class MissingImports extends Error {
  constructor(names) {
    super(`the module imports what nobody provides: ${names.join(", ")}`);
    this.name = "MissingImports";
    this.names = names;
  }
}

/** Throws MissingImports if `module` imports functions that `imports` lacks. */
export function checkImports(module, imports) {
  const missing = WebAssembly.Module.imports(module)
    .filter(({ module: space, name }) => imports[space]?.[name] === undefined)
    .map(({ module: space, name }) => `${space}.${name}`);
  if (missing.length > 0) throw new MissingImports(missing);
}

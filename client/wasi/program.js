// Runs one command module in this thread: links it to a host and the core, opens its listeners, calls its entry.

import { unlessAborted } from "./abort.js";
import { Core } from "./core.js";
import { Exit, Host } from "./host.js";
import { Input } from "./input.js";
import { OutputGate } from "./output-gate.js";
import { checkImports, combine, namespace } from "./bridge.js";
import { parseAddress } from "./address.js";
import { utf8 } from "./memory.js";

/** The first descriptor after the standard streams: where guests look for preopened descriptors. */
const firstFd = 3;

/**
 * Resolves to { exitCode } when the program has ended; rejects when it traps or cannot be linked.
 *
 * @param module a WebAssembly.Module
 * @param blocker how calls wait
 * @param transport creates sockets
 * @param stdin an InputSource
 * @param onlisten called once with the listeners' { host, port }, before the program starts
 * @param stdout, stderr called with each Uint8Array that the program writes; a promise they return settles when they took it
 * @param onready receives the program's Input instead of filling it from `stdin`, and its OutputGate, which counts taken bytes
 * @param trace writes a line to stderr for each call
 * @param signal aborting it rejects this at once, and ends the program at its next or pending call
 */
export async function runProgram(module, {
  blocker, transport, args, env, stdin, stdout, stderr, isTerminal, listen = [], onlisten, imports = {}, signal, trace = false, onready,
}) {
  signal?.throwIfAborted();
  let instance = null;
  const memory = () => instance.exports.memory ?? imports.env.memory;
  let host = null;
  const core = new Core({
    memory, transport, blocker, firstFd, taken: (fd) => host.has(fd),
    baseReadiness: (fd, forReading) => host.readiness(fd, forReading),
  });
  const input = new Input(() => core.table.changed());
  const output = new OutputGate([null, stdout, stderr], { isAcknowledged: onready !== undefined, changed: () => core.table.changed() });
  host = new Host({ memory, args, env, stdin: input, output, isTerminal });
  const all = { ...imports, [namespace]: combine(host.functions(core), core, blocker, { ownsAllFds: true, trace: trace ? (line) => output.write(2, utf8(line)) : undefined }) };
  checkImports(module, all);

  onready?.(input, output);
  const abort = () => {
    core.abort(signal.reason);
    blocker.abort(signal.reason);
  };
  signal?.addEventListener("abort", abort);
  try {
    const opened = [];
    for (const listener of listen) opened.push(await openListener(core, { nonblocking: schedulesItself(module), ...listener }));
    signal?.throwIfAborted();
    if (opened.length > 0) onlisten?.(opened);
    if (!onready) input.fill(stdin).catch((error) => core.abort(error));
    instance = await unlessAborted(signal, WebAssembly.instantiate(module, all));
    return { exitCode: await unlessAborted(signal, callEntry(instance, blocker)) };
  } finally {
    signal?.removeEventListener("abort", abort);
    core.table.closeAll();
  }
}

async function openListener(core, { host = "127.0.0.1", port = 0, backlog, nonblocking }) {
  return { host, ...await core.preopenListener({ bytes: parseAddress(host), port, backlog, nonblocking }) };
}

// Go's scheduler would hang in a blocking accept: it treats a descriptor as non-blocking only if it was inherited that way.
const schedulesItself = (module) => WebAssembly.Module.customSections(module, "go:buildid").length > 0;

async function callEntry(instance, blocker) {
  const entry = instance.exports._start ?? instance.exports._initialize;
  if (!entry) throw new TypeError("the module is no command: it exports no _start");
  try {
    await blocker.wrapExport(entry)();
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

// What a test can have the page do, by name. Each gets (params, tell) and returns a promise; `tell` sends events meanwhile.

import { WasmnetClient } from "../../wasmnet-client.js";
import { compile, hasJspi, hasSharedMemory, run as runGuest } from "../../wasi/index.js";

const clients = new Map();
const modules = new Map();
const aborts = new Map();

export async function features() {
  return { jspi: hasJspi(), shared: hasSharedMemory() && crossOriginIsolated, isolated: crossOriginIsolated };
}

/** A client that several guests share, by name. */
export async function openClient({ name, url, options }, tell) {
  const client = new WasmnetClient(url, options);
  clients.set(name, client);
  for (const type of ["connected", "disconnected", "goaway"]) client.addEventListener(type, (event) => tell({ type, retryInMs: event.retryInMs }));
  await client.ready();
}

export async function closeClient({ name }) {
  clients.get(name).disconnect();
  clients.delete(name);
}

/** Runs a guest to its end: { exitCode, stdout, stderr, ms }. */
export async function run({ guest, client, id, ...options }, tell) {
  if (!modules.has(guest)) modules.set(guest, compile(`/guests/${guest}.wasm`));
  const controller = new AbortController();
  aborts.set(id, controller);
  const started = performance.now();
  try {
    const result = await runGuest(await modules.get(guest), {
      args: [guest, ...(options.arguments ?? [])], ...options, ...(client ? { client: clients.get(client) } : null),
      signal: controller.signal, onlisten: (listeners) => tell({ type: "listening", listeners }),
    });
    return { ...result, ms: performance.now() - started };
  } finally {
    aborts.delete(id);
  }
}

/** Ends the guest that was started with this id. */
export async function abort({ id }) {
  aborts.get(id)?.abort(new Error("aborted by the test"));
}

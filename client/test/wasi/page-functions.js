// What a test can have the page do, by name. Each gets (params, tell) and returns a promise; `tell` sends events meanwhile.

import { WasmnetClient } from "../../wasmnet-client.js";
import { compile, hasJspi, hasSharedMemory, run as runGuest } from "../../wasi/index.js";

const clients = new Map();
const modules = new Map();
const aborts = new Map();
const inputs = new Map();

export async function features() {
  return { jspi: hasJspi(), shared: hasSharedMemory() && crossOriginIsolated, isolated: crossOriginIsolated };
}

/** A client that several guests share, by name. */
export async function openClient({ name, url, options }, tell) {
  const client = new WasmnetClient(url, options);
  clients.set(name, client);
  for (const type of ["connected", "disconnected", "goaway"]) client.addEventListener(type, (event) => tell({ type, isReconnect: event.isReconnect }));
  await client.ready();
}

export async function closeClient({ name }) {
  clients.get(name).disconnect();
  clients.delete(name);
}

/**
 * Runs a guest to its end: { exitCode, stdout, stderr, ms }. Its output is told as it comes, too. `stdin` is text, or true for
 * what input() gives it.
 */
export async function run({ guest, client, id, stdin, ...options }, tell) {
  if (!modules.has(guest)) modules.set(guest, compile(`/guests/${guest}.wasm`));
  const controller = new AbortController();
  aborts.set(id, controller);
  const texts = { stdout: new TextCollector(tell), stderr: new TextCollector(tell) };
  const started = performance.now();
  try {
    const { exitCode } = await runGuest(await modules.get(guest), {
      args: [guest, ...(options.arguments ?? [])], ...options, ...(client ? { client: clients.get(client) } : null),
      stdin: stdin === true ? new ReadableStream({ start: (sink) => inputs.set(id, sink) }) : stdin,
      stdout: texts.stdout.write, stderr: texts.stderr.write,
      signal: controller.signal, onlisten: (listeners) => tell({ type: "listening", listeners }),
    });
    return { exitCode, stdout: texts.stdout.text, stderr: texts.stderr.text, ms: performance.now() - started };
  } finally {
    aborts.delete(id);
  }
}

class TextCollector {
  #decoder = new TextDecoder();
  text = "";

  constructor(tell) {
    this.write = (bytes) => {
      const text = this.#decoder.decode(bytes, { stream: true });
      this.text += text;
      tell({ type: "output", text });
    };
  }
}

/** Gives text to the guest that was started with this id and stdin: true, and ends its input. */
export async function input({ id, text }) {
  inputs.get(id).enqueue(new TextEncoder().encode(text));
  inputs.get(id).close();
}

/** Ends the guest that was started with this id. */
export async function abort({ id }) {
  aborts.get(id)?.abort(new Error("aborted by the test"));
}

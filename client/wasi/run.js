// run(): a command module with real sockets, in this thread or a Worker of its own.

import { WasmnetClient } from "../wasmnet-client.js";
import { compile } from "./compile.js";
import { JspiBlocker, hasJspi } from "./jspi.js";
import { hasSharedMemory } from "./sab.js";
import { ClientTransport } from "./transport.js";
import { runProgram } from "./program.js";
import { runInWorker } from "./worker-host.js";
import { OutputText } from "./output.js";

/** Says why no strategy is to be had. */
export class NoStrategy extends Error {
  constructor(message) {
    super(message);
    this.name = "NoStrategy";
  }
}

const isNode = typeof process === "object" && Boolean(process.versions?.node);

/** "jspi" or "sab", for what was asked and what this browser and page have; `startsWorker` where the caller is not in the program's Worker. */
export function pickStrategy(wanted = "auto", startsWorker = true) {
  if (!["auto", "jspi", "sab"].includes(wanted)) throw new TypeError(`strategy is "auto", "jspi" or "sab", not ${wanted}`);
  const missing = [];
  if (wanted !== "sab") {
    if (hasJspi()) return "jspi";
    missing.push(isNode
      ? `Node ${process.versions.node} has no JavaScript Promise Integration: Node 25 has it, Node 24 with --experimental-wasm-jspi`
      : "this browser has no JavaScript Promise Integration (WebAssembly.Suspending)");
  }
  if (wanted !== "jspi") {
    const hasWorkers = !startsWorker || typeof Worker === "function";
    if (hasSharedMemory() && hasWorkers) return "sab";
    missing.push(hasWorkers
      ? "shared memory needs a cross-origin isolated page: serve it with the headers Cross-Origin-Opener-Policy: same-origin and "
        + "Cross-Origin-Embedder-Policy: require-corp"
      : "shared memory needs the Workers of a browser, which are not here");
  }
  throw new NoStrategy(missing.join(", and "));
}

/** See index.d.ts. */
export async function run(source, options = {}) {
  const { url, client, clientOptions, strategy, stdout, stderr, signal, worker, workerUrl, imports, ...rest } = options;
  if (!url === !client) throw new TypeError("give run() one of url and client");
  signal?.throwIfAborted();
  const picked = pickStrategy(strategy);
  const module = await compile(source);
  const outputs = { stdout: new OutputText(stdout), stderr: new OutputText(stderr) };
  const settings = { ...rest, stdout: outputs.stdout.write, stderr: outputs.stderr.write, signal, workerUrl };

  const inWorker = picked === "sab" || (worker ?? (!client && typeof document === "object"));
  if (inWorker && imports) throw new TypeError("functions of `imports` cannot go to a Worker: pass worker: false, which needs JSPI");
  let own = null;
  try {
    let result;
    if (picked === "jspi" && inWorker) {
      if (client) throw new TypeError("a client cannot go to a Worker: pass url, or worker: false");
      result = await runInWorker(module, { strategy: picked, url, clientOptions, ...settings });
    } else {
      own = client ? null : new WasmnetClient(url, clientOptions);
      if (picked === "sab") result = await runInWorker(module, { strategy: picked, client: client ?? own, ...settings });
      else {
        const transport = new ClientTransport(client ?? own);
        result = await runProgram(module, { blocker: new JspiBlocker(), transport, imports, ...settings });
        if (own) await transport.drained();
      }
    }
    return { ...result, stdout: outputs.stdout.text, stderr: outputs.stderr.text };
  } finally {
    own?.disconnect();
  }
}

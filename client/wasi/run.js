// run(): a command module with real sockets, in this thread or a Worker of its own.

import { WasmnetClient } from "../wasmnet-client.js";
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

/** "jspi" or "sab", for what was asked and what this browser and page have. */
export function pickStrategy(wanted = "auto") {
  if (wanted === "jspi" || wanted === "auto") {
    if (hasJspi()) return "jspi";
    if (wanted === "jspi") throw new NoStrategy("this browser has no JavaScript Promise Integration (WebAssembly.Suspending)");
  }
  if (wanted !== "sab" && wanted !== "auto") throw new TypeError(`strategy is "auto", "jspi" or "sab", not ${wanted}`);
  if (hasSharedMemory()) return "sab";
  const isolation = "shared memory needs a cross-origin isolated page: serve it with the headers "
    + "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  throw new NoStrategy(wanted === "sab" ? isolation : `this browser has no JavaScript Promise Integration, and ${isolation}`);
}

/** A WebAssembly.Module out of one, its bytes, a Response or a URL. */
export async function compile(source) {
  // By what they are, not by instanceof: those of another frame are of other classes.
  const kind = Object.prototype.toString.call(source);
  if (kind === "[object WebAssembly.Module]") return source;
  if (kind === "[object ArrayBuffer]" || kind === "[object SharedArrayBuffer]" || ArrayBuffer.isView(source)) return WebAssembly.compile(source);
  const response = kind === "[object Response]" ? source : await fetch(source);
  if (!response.ok) throw new Error(`${response.url}: HTTP status ${response.status}`);
  if (response.headers.get("content-type")?.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** See index.d.ts. */
export async function run(source, options = {}) {
  const { url, client, clientOptions, strategy, stdout, stderr, signal, worker, imports, ...rest } = options;
  if (!url === !client) throw new TypeError("give run() one of url and client");
  signal?.throwIfAborted();
  const picked = pickStrategy(strategy);
  const module = await compile(source);
  const outputs = { stdout: new OutputText(stdout), stderr: new OutputText(stderr) };
  const settings = { ...rest, stdout: outputs.stdout.write, stderr: outputs.stderr.write, signal };

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

// run(): a command module with real sockets, in this thread or its own Worker.

import { utf8 } from "../lib/bytes.js";
import { check } from "../lib/check.js";
import { WasmnetClient, WasmnetError } from "../wasmnet-client.js";
import { unlessAborted } from "./abort.js";
import { checkRunOptions } from "./arguments.js";
import { callBack } from "./callback.js";
import { compileUntil } from "./compile.js";
import { InputSource } from "./input.js";
import { JspiBlocker, hasJspi } from "./jspi.js";
import { hasSharedMemory } from "./sab.js";
import { ClientTransport } from "./transport.js";
import { runProgram } from "./program.js";
import { runInWorker } from "./worker-host.js";
import { outputsTo } from "./output.js";

/** The error that explains why no strategy is available. */
export class NoStrategy extends Error {
  constructor(message) {
    super(message);
    this.name = "NoStrategy";
  }
}

const isNode = typeof process === "object" && Boolean(process.versions?.node);

/** "jspi" or "sab", from the request and this browser's features; `startsWorker` if the caller is not in the program's Worker. */
export function pickStrategy(wanted = "auto", startsWorker = true) {
  check("strategy", wanted, ["auto", "jspi", "sab"]);
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
export async function run(source, options) {
  checkRunOptions(options);
  const { url, client, clientOptions, strategy, stdin, stdout, stderr, onlisten, signal, worker, workerUrl, imports, ...rest } = options;
  signal?.throwIfAborted();
  const picked = pickStrategy(strategy);
  const inWorker = picked === "sab" || (worker ?? (!client && typeof document === "object"));
  if (inWorker && imports) throw new WasmnetError("invalid_argument", "imports must be left out with a Worker, to which functions cannot go: pass worker: false, which needs JSPI");
  if (inWorker && client && picked === "jspi") throw new WasmnetError("invalid_argument", "client must be left out with a Worker, to which it cannot go: pass url, or worker: false");

  // Streams are locked from here to the end, so that another program's run() with one of them is refused.
  const input = new InputSource(stdin);
  const outputs = outputsTo(stdout, stderr);
  // The program gets only an errno: its user gets the words.
  const { onrefused = ({ text }) => void outputs.stderr.write(utf8(`wasmnet: ${text}\n`)) } = options;
  let last = null;
  const refused = (refusal) => {
    last = refusal;
    callBack(onrefused, refusal);
  };
  const settings = {
    ...rest, stdin: input, stdout: outputs.stdout.write, stderr: outputs.stderr.write, signal, workerUrl, onrefused: refused,
    onlisten: (listeners) => void callBack(onlisten, listeners),
  };
  let own = null;
  try {
    const module = await unlessAborted(signal, compileUntil(signal, source));
    signal?.throwIfAborted();
    let result;
    if (picked === "jspi" && inWorker) {
      result = await runInWorker(module, { strategy: picked, url, clientOptions, ...settings });
    } else {
      own = client ? null : new WasmnetClient(url, clientOptions);
      // A program that has ended still sends its data: an abort ends that too.
      if (picked === "sab") result = await unlessAborted(signal, runInWorker(module, { strategy: picked, client: client ?? own, ...settings }));
      else {
        const transport = new ClientTransport(client ?? own, refused);
        result = await runProgram(module, { blocker: new JspiBlocker(), transport, imports, ...settings });
        if (own) await unlessAborted(signal, transport.drained());
      }
    }
    return { ...result, stdout: outputs.stdout.text, stderr: outputs.stderr.text };
  } catch (error) {
    if (error?.name === "ListenError" && last) error.message += `: ${last.text}`;
    throw error;
  } finally {
    own?.disconnect();
    input.cancel();
    for (const output of new Set(Object.values(outputs))) output.release();
  }
}

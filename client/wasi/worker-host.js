// Runs a program in its own Worker and passes its streams in both directions.

import { WasmnetError } from "../lib/errors.js";
import { GuestService } from "./service.js";
import { readAhead } from "./input.js";
import { OutputTaker } from "./output-gate.js";
import { startWorker } from "./worker-start.js";

/** Resolves to { exitCode }. `stdin` is an InputSource. With a `client` (sab) this thread serves it to the Worker; with a `url` (jspi) the Worker has its own. */
export function runInWorker(module, {
  strategy, url, clientOptions, client, workerUrl, args, env, stdin, stdout, stderr, isTerminal, listen, onlisten, onrefused, trace, signal,
}) {
  return new Promise((resolve, reject) => {
    const { worker, advice } = startWorker(workerUrl);
    const service = strategy === "sab" ? new GuestService(client, onrefused) : null;
    const feed = new Feed(service ?? worker);
    const taker = new OutputTaker((count) => (service ? service.outputTaken(count) : worker.postMessage({ type: "outputTaken", count })));

    let hasEnded = false;
    const stop = () => {
      hasEnded = true;
      signal?.removeEventListener("abort", abort);
      worker.onmessage = null;
      worker.terminate();
      feed.stop();
    };
    const fail = (error) => {
      // Standard input may fail while a program that has ended still sends its data.
      if (hasEnded) return;
      stop();
      service?.close();
      reject(error);
    };
    // A thread that computes or blocks receives no message; terminating it always works.
    const abort = () => fail(signal.reason);
    signal?.addEventListener("abort", abort);

    worker.onerror = (event) => {
      event.preventDefault();
      fail(new Error(event.message || advice));
    };
    worker.onmessage = ({ data }) => {
      switch (data.type) {
        case "stdout": return taker.give(stdout, data.bytes);
        case "stderr": return taker.give(stderr, data.bytes);
        case "listening": return onlisten(data.listeners);
        case "refused": return onrefused(data.refusal);
        case "inputConsumed": return feed.consumed(data.count);
        case "exit": {
          stop();
          const result = { exitCode: data.exitCode };
          return service ? void service.finish().then(() => resolve(result)) : resolve(result);
        }
        case "error": return fail(revived(data.error));
      }
    };
    if (service) service.oninputconsumed = (count) => feed.consumed(count);
    try {
      worker.postMessage({ module, strategy, url, clientOptions, link: service?.link, options: { args, env, isTerminal, listen, trace } }, service?.transfer ?? []);
    } catch (error) {
      // The browser's description of a value may be the value.
      return fail(new WasmnetError("invalid_argument", `what goes to the program's Worker must be plain values, clientOptions too (a token is a string there): ${error.name}`));
    }
    feed.start(stdin).catch(fail);
  });
}

// Standard input, with no more pending than the guest reads.
class Feed {
  #target;
  #outstanding = 0;
  #resume = null;
  #isStopped = false;

  constructor(target) {
    this.#target = target;
  }

  async start(source) {
    for await (const bytes of source.parts()) {
      if (this.#isStopped) return;
      if (bytes.length === 0) continue;
      this.#outstanding += bytes.length;
      if (this.#target instanceof GuestService) this.#target.input(bytes);
      else this.#target.postMessage({ type: "input", bytes });
      while (this.#outstanding >= readAhead && !this.#isStopped) await new Promise((resolve) => { this.#resume = resolve; });
    }
    if (this.#isStopped) return;
    if (this.#target instanceof GuestService) this.#target.inputEnd();
    else this.#target.postMessage({ type: "inputEnd" });
  }

  consumed(count) {
    this.#outstanding -= count;
    this.#resume?.();
  }

  stop() {
    this.#isStopped = true;
    this.#resume?.();
  }
}

// Errors cross threads as text; a trap stays a WebAssembly.RuntimeError.
function revived({ name, message, stack, names, code, retryAfterMs, errno }) {
  if (name === "WasmnetError") return new WasmnetError(code, message, retryAfterMs);
  const kinds = { RuntimeError: WebAssembly.RuntimeError, LinkError: WebAssembly.LinkError, TypeError };
  const error = new (kinds[name] ?? Error)(message);
  error.name = name;
  error.stack = stack;
  if (names) error.names = names;
  if (errno) error.errno = errno;
  return error;
}

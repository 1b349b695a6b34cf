// The functions that a test can call in the page, by name. Each gets (params, tell) and returns a promise; `tell` sends events meanwhile.

import { WasmnetClient } from "../../wasmnet-client.js";
import { ForeignShim, runOnShim } from "./foreign-shim.js";
import { compile, emscriptenWebSocket, hasJspi, hasSharedMemory, run as runGuest, shareClient, wrapImports } from "../../wasi/index.js";

export { emscripten, emscriptenInWorker } from "./emscripten-page.js";
export { fromFrame, heldOutput, releaseOutput, throwingCallbacks } from "./output-page.js";
export { wasip2 } from "./wasip2-page.js";

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
 * Runs a guest to its end: { exitCode, stdout, stderr, ms }. Its output is also sent as it arrives. `stdin` is text, or true for
 * the text of input().
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

/** Gives text to the guest that was started with this id and stdin: true, and ends its input unless `more` is to come. */
export async function input({ id, text, more = false }) {
  inputs.get(id).enqueue(new TextEncoder().encode(text));
  if (!more) inputs.get(id).close();
}

/** Ends the guest that was started with this id. */
export async function abort({ id }) {
  aborts.get(id)?.abort(new Error("aborted by the test"));
}

/** Does the same as SOCKFS for one connect(): sends `text`, returns the answer until the end, and how it ended. */
export async function sockfs({ url, port, text }) {
  const client = new WasmnetClient(url);
  await client.ready();
  const Sockets = emscriptenWebSocket(client);
  const socket = new Sockets(`ws://127.0.0.1:${port}/`, ["binary"]);
  socket.binaryType = "arraybuffer";
  let received = "";
  const ended = new Promise((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ received, code, reason, state: socket.readyState });
  });
  socket.onmessage = ({ data }) => {
    received += new TextDecoder().decode(data);
    if (received.length >= text.length) socket.close();
  };
  socket.onopen = () => socket.send(new TextEncoder().encode(text));
  const result = await ended;
  const other = new Sockets(url, "wasmnet.v2");
  result.isNativeOtherwise = other.constructor === WebSocket && other instanceof Sockets && socket instanceof Sockets && !({} instanceof Sockets);
  other.close();
  client.disconnect();
  return result;
}

/** Runs a guest on a third-party shim, with the bridge over it. */
export async function onForeignShim({ guest, args, files, url, strategy }) {
  const module = await compile(`/guests/${guest}.wasm`);
  const client = new WasmnetClient(url);
  await client.ready();
  try {
    if (strategy === "jspi") return await runOnShim({ module, args, files, client, wrapImports });
    const lent = shareClient(client);
    const worker = new Worker(new URL("shim-worker.js", import.meta.url), { type: "module" });
    try {
      return await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ link: lent.link, module, args, files }, lent.transfer);
      });
    } finally {
      await lent.finish();
      worker.terminate();
    }
  } finally {
    client.disconnect();
  }
}

/** The README's programs for pages, unchanged except for the package's location. */
async function snippets() {
  const text = await (await fetch("/client/wasi/README.md")).text();
  const all = [...text.matchAll(/```js\n([^`]*)```/g)].map(([, code]) => code
    .replaceAll('"./w', `"${location.origin}/client/w`).replaceAll('"wasmnet/', `"${location.origin}/client/`));
  if (all.length !== 6) throw new Error(`the README has ${all.length} snippets: is each run?`);
  const [running, bundled, wrapping, lending, emscripten] = all;
  return { running, bundled, wrapping, lending, emscripten };
}

const evaluate = async (code) => (await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })))).default;

/** Runs them with this test's node, Redis and files. */
export async function readme({ url, redis, bulk }) {
  const { running, bundled, wrapping, emscripten } = await snippets();
  const here = (code) => code
    .replace(/"\/?redis-cli\.wasm"/, `"${location.origin}/guests/redis-cli.wasm"`)
    .replace("wss://node.example/", url)
    .replace('"/worker.js"', '"/client/wasi/worker.js"')
    .replace('"-h", "redis.example"', `"-h", "127.0.0.1", "-p", "${redis}"`);
  const first = await evaluate(`${here(running)}; export default { exitCode, stdout };`);
  const inBundle = await evaluate(`${here(bundled).replace("await run", "const answer = await run")}; export default answer.stdout;`);

  const client = new WasmnetClient(url);
  globalThis.readme = { client, shim: new ForeignShim(["redis-ping", "127.0.0.1", String(redis), "PING"]), module: await compile("/guests/redis-ping.wasm") };
  const second = await evaluate(`const { client, shim, module } = globalThis.readme; ${wrapping}; export default shim.output;`);
  client.disconnect();

  const Native = globalThis.WebSocket;
  const third = await evaluate(`${emscripten
    .replace("./program.mjs", `${location.origin}/guests/emscripten-transfer.mjs`)
    .replace("wss://node.example/", url)
    .replace('await createProgram({ arguments: ["redis.example", "6379"] });', `const settings = {};
      const ended = new Promise((resolve) => { settings.print = settings.printErr = resolve; });
      await createProgram({ arguments: ["get", "localhost", "${bulk}", "1000"], ...settings });
      export default await ended;`)}`).finally(() => { globalThis.WebSocket = Native; });
  return { first, inBundle, second, third };
}

/** Runs the README's code for lending a client to a Worker, if there is shared memory. */
export async function readmeLending({ url, redis }) {
  const { lending } = await snippets();
  const client = new WasmnetClient(url);
  const thread = new Worker(new URL("shim-worker.js", import.meta.url), { type: "module" });
  const module = await compile("/guests/redis-ping.wasm");
  const args = ["redis-ping", "127.0.0.1", String(redis), "PING"];
  globalThis.readme = { client, worker: { postMessage: (link, transfer) => thread.postMessage({ link, module, args }, transfer) } };
  try {
    const ended = new Promise((resolve) => { thread.onmessage = ({ data }) => resolve(data.error ?? data.value); });
    const lent = await evaluate(`const { client, worker } = globalThis.readme; ${lending}; export default lent;`);
    const value = await ended;
    await lent.finish();
    return value;
  } finally {
    thread.terminate();
    client.disconnect();
  }
}

// In a page: how run() ends. Its signal aborts, its streams are given back, its callbacks fail; wherever the program runs.

import { step } from "/client/test/browser/page.js";
import { compile, hasJspi, hasSharedMemory, run } from "/client/wasi/index.js";

const PROGRAM = "/client/playground/guests/netcat.wasm";
const MODES = {
  "JSPI in the page": { strategy: "jspi", worker: false },
  "JSPI in a Worker": { strategy: "jspi", worker: true },
  "shared memory": { strategy: "sab" },
};
const has = { jspi: hasJspi(), sab: hasSharedMemory() && crossOriginIsolated };

/** What became of run(): its exit code and output, or its error. */
async function outcome(running) {
  const ended = running.then(({ exitCode, stdout }) => `${exitCode} ${stdout}`, (error) => (error.code ? `${error.code}: ${error.message}` : String(error)));
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, 8000, "no end"); });
  return Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

/** Calls `abort` when it is read from, and then gives `parts` and ends; without them it gives nothing. */
const download = (abort, parts) => new Response(new ReadableStream({
  pull(sink) {
    abort();
    if (!parts) return new Promise(() => {});
    for (const part of parts) sink.enqueue(part);
    return sink.close();
  },
}, { highWaterMark: 0 }), { headers: { "content-type": "application/wasm" } });

/** A module that calls one import: once, or without end. */
function caller(space, name, isEndless) {
  const named = (text) => [text.length, ...new TextEncoder().encode(text)];
  const section = (id, ...bytes) => [id, bytes.length, ...bytes];
  const body = isEndless ? [0, 0x03, 0x40, 0x10, 0, 0x1a, 0x0c, 0, 0x0b, 0x0b] : [0, 0x10, 0, 0x1a, 0x0b];
  return new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0,
    ...section(1, 2, 0x60, 0, 1, 0x7f, 0x60, 0, 0), ...section(2, 1, ...named(space), ...named(name), 0, 0), ...section(3, 1, 1), ...section(5, 1, 0, 1),
    ...section(7, 2, ...named("memory"), 2, 0, ...named("_start"), 0, 1), ...section(10, 1, body.length, ...body)));
}

/** A client whose sockets open, end, and do not close. */
const stuckClient = {
  socket(kind, host, port, { onopen, onend }) {
    const socket = { sendable: 1000, local: null, remote: null, send() {}, consumed() {}, shutdown() {}, close() {}, reset() {} };
    queueMicrotask(() => {
      onopen(socket);
      onend();
    });
    return socket;
  },
};

/** When `abort` is called, by name: the source and more options of such a run(); nothing in a mode that cannot have it. */
const ABORTS = {
  "before anything": (abort, { netcat }) => {
    queueMicrotask(abort);
    return [netcat];
  },
  "while a URL does not answer": (abort, { silent }) => {
    fetch(`${silent}?asked`).then(abort);
    return [silent];
  },
  "while a Request does not answer": (abort, { silent }) => {
    fetch(`${silent}?asked`).then(abort);
    return [new Request(silent)];
  },
  "by a Request's own signal": (abort, { silent }) => {
    const own = new AbortController();
    fetch(`${silent}?asked`).then(() => own.abort("enough"));
    return [new Request(silent, { signal: own.signal })];
  },
  "in a download without end": (abort) => [download(abort)],
  "in a download that ends": (abort, { binary }) => [download(abort, [new Uint8Array(binary)])],
  "while it listens": (abort, { netcat }) => [netcat, { listen: [{}], onlisten: abort }],
  "while it runs": (abort, { netcat }) => [netcat, { stderr: abort, stdin: new ReadableStream() }],
  "while it waits for the page": (abort, { worker }) => {
    if (worker !== false) return undefined;
    const wait = () => {
      abort();
      return new Promise(() => {});
    };
    return [caller("page", "wait"), { imports: { page: { wait: new WebAssembly.Suspending(wait) } } }];
  },
  "while its data goes out": (abort, { netcat, strategy }) => {
    if (strategy !== "sab") return undefined;
    // The program has ended when its Worker does.
    const { terminate } = Worker.prototype;
    Worker.prototype.terminate = function () {
      Worker.prototype.terminate = terminate;
      terminate.call(this);
      abort();
    };
    return [netcat, { client: stuckClient, url: undefined }];
  },
};

async function aborts(mode, tools, base) {
  const seen = {};
  for (const [when, given] of Object.entries(ABORTS)) {
    await step(when);
    const controller = new AbortController();
    const [source, options] = given(() => controller.abort("enough"), { ...tools, ...mode }) ?? [];
    if (source) seen[`aborted ${when}`] = await outcome(run(source, { ...base, ...mode, signal: controller.signal, ...options }));
  }
  return seen;
}

/** A program that only yields: whether it stops when its signal aborts. */
async function yields() {
  const controller = new AbortController();
  let lines = 0;
  const stderr = () => {
    lines++;
    controller.abort("enough");
  };
  const ended = await outcome(run(caller("wasi_snapshot_preview1", "sched_yield", true), {
    url: "ws://127.0.0.1:9/", strategy: "jspi", worker: false, trace: true, stderr, signal: controller.signal,
  }));
  const before = lines;
  for (let i = 0; i < 3; i++) await new Promise((resolve) => { setTimeout(resolve); });
  return `${ended}, ${lines - before} calls later`;
}

async function streams(mode, { netcat, over }, base) {
  const options = { ...base, ...mode };
  const seen = {};
  let text = "";
  const output = () => new WritableStream({ write(part) { text += new TextDecoder().decode(part); } });

  await step("output streams");
  const stdout = output();
  const first = run(netcat, { ...options, stdin: "one ", stdout });
  seen["a stream that another program has"] = await outcome(run(netcat, { ...options, stdout }));
  seen["a stream"] = [await outcome(first), stdout.locked];
  seen["a stream again"] = [await outcome(run(netcat, { ...options, stdin: "two", stdout })), stdout.locked];
  await stdout.close();
  seen["what it got"] = text;
  text = "";
  const both = output();
  seen["one for both"] = [await outcome(run(netcat, { ...options, stdin: "hello", stdout: both, stderr: both })), both.locked];
  await both.close();
  seen["what both got"] = text.replace(/port \d+/, "port");

  await step("input");
  const ended = { ...options, args: over };
  let isCancelled = false;
  const endless = new ReadableStream({ pull(sink) { sink.enqueue(new Uint8Array(1000)); }, cancel() { isCancelled = true; } });
  seen["an endless stdin"] = [await outcome(run(netcat, { ...ended, stdin: endless })), endless.locked, isCancelled];
  let isReturned = false;
  const waiting = { next: () => new Promise(() => {}), async return() { isReturned = true; }, [Symbol.asyncIterator]() { return this; } };
  seen["a stdin without a next part"] = [await outcome(run(netcat, { ...ended, stdin: waiting })), isReturned];
  const [stdin, unused] = [new ReadableStream(), output()];
  seen["no program"] = [await outcome(run(new Uint8Array(8), { ...options, stdin, stdout: unused })), stdin.locked, unused.locked];
  return seen;
}

/** The program's ends, the callbacks that failed, and what was reported. */
async function callbacks(mode, { netcat, denied }, base, rejects) {
  await step(`callbacks that ${rejects ? "reject" : "throw"}`);
  const calls = [];
  const reported = [];
  const failing = (name) => (rejects ? async () => fail(name) : () => fail(name));
  const fail = (name) => {
    calls.push(name);
    throw new Error(name);
  };
  // An exception that is not reported by this function ends the test: see page.js.
  const { reportError } = globalThis;
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    // A stream's failures are its owner's.
    const stderr = new WritableStream({ write: failing("write") });
    const stdin = rejects ? new ReadableStream({ cancel: failing("cancel") })
      : { next: () => new Promise(() => {}), return: failing("return"), [Symbol.asyncIterator]() { return this; } };
    const ends = [
      await outcome(run(netcat, { ...base, ...mode, stdin: "hello", listen: [{}], stdout: failing("stdout"), stderr, onlisten: failing("onlisten") })),
      await outcome(run(netcat, { ...base, ...mode, args: denied, stdin, stderr: failing("stderr"), onrefused: failing("onrefused") })),
    ];
    return { ends, calls: [...new Set(calls)].sort(), areReported: reported.sort().join() === calls.filter((name) => !/write|cancel/.test(name)).sort().join() };
  } finally {
    globalThis.reportError = reportError;
  }
}

/** @returns by mode what was seen */
export async function ends({ url, echoPort, endPort, silent }) {
  const netcat = await compile(PROGRAM);
  const args = (host, port) => ["netcat", host, String(port)];
  const tools = { netcat, silent, binary: await (await fetch(PROGRAM)).arrayBuffer(), over: args("127.0.0.1", endPort), denied: args("192.0.2.1", 25) };
  const base = { url, args: args("127.0.0.1", echoPort) };
  const seen = {};
  for (const [name, mode] of Object.entries(MODES)) {
    if (!has[mode.strategy]) continue;
    seen[name] = {
      ...await aborts(mode, tools, base), ...await streams(mode, tools, base),
      "callbacks that throw": await callbacks(mode, tools, base, false), "callbacks that reject": await callbacks(mode, tools, base, true),
    };
  }
  if (has.jspi) seen["JSPI in the page"]["aborted while it only yields"] = await yields();
  return seen;
}

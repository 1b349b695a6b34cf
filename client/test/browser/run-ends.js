// In a page: how run() ends. Its streams are given back, its callbacks fail; wherever the program runs.

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
export async function ends({ url, echoPort, endPort }) {
  const netcat = await compile(PROGRAM);
  const args = (host, port) => ["netcat", host, String(port)];
  const tools = { netcat, over: args("127.0.0.1", endPort), denied: args("192.0.2.1", 25) };
  const base = { url, args: args("127.0.0.1", echoPort) };
  const seen = {};
  for (const [name, mode] of Object.entries(MODES)) {
    if (!has[mode.strategy]) continue;
    seen[name] = {
      ...await streams(mode, tools, base),
      "callbacks that throw": await callbacks(mode, tools, base, false), "callbacks that reject": await callbacks(mode, tools, base, true),
    };
  }
  return seen;
}

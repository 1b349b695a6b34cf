// In the browser: a program whose output is not read for a while, callbacks that throw, and objects of another frame.

import { compile, run } from "../../wasi/index.js";
import { WasmnetClient } from "../../wasmnet-client.js";
import { checksum, hex } from "./checksum.js";

let release = null;

/** Runs print.c with a stdout that takes its first bytes only when releaseOutput() is called; reports how many bytes it received. */
export async function heldOutput({ count, url, strategy, inPage, asStream }, tell) {
  const held = new Promise((resolve) => { release = resolve; });
  let given = 0;
  let hash = checksum(new Uint8Array(0));
  const take = (bytes) => {
    given += bytes.length;
    hash = checksum(bytes, hash);
    tell({ given });
    return held;
  };
  const client = inPage ? new WasmnetClient(url) : null;
  const { exitCode, stderr } = await run("/guests/print.wasm", {
    ...(client ? { client, worker: false } : { url }), strategy, args: ["print", String(count)], stdout: asStream ? new WritableStream({ write: take }) : take,
  });
  client?.disconnect();
  return { exitCode, stderr, given, hash: hex(hash) };
}

export async function releaseOutput() { release(); }

/**
 * Runs a guest with callbacks that throw, or reject: its exit code, the calls, and the errors that were reported, once no socket is left.
 * `port` is told when onlisten has it.
 */
export async function throwingCallbacks({ guest, args, listen, url, strategy, isShared, rejects }, tell) {
  const calls = [];
  const reported = [];
  const fail = (name) => {
    calls.push(name);
    throw new Error(name);
  };
  // An exception that is not reported by this function ends the test: see page.js.
  const { reportError } = globalThis;
  globalThis.reportError = (error) => reported.push(error.message);
  const client = isShared ? new WasmnetClient(url) : null;
  try {
    const take = (name) => (rejects ? async () => fail(name) : () => fail(name));
    const { exitCode } = await run(`/guests/${guest}.wasm`, {
      ...(client ? { client } : { url }), strategy, args: [guest, ...args], listen, stdout: take("stdout"), stderr: take("stderr"),
      onrefused: () => fail("onrefused"),
      onlisten: ([{ port }]) => {
        tell({ port });
        fail("onlisten");
      },
    });
    while (client?.openSockets.length > 0) await new Promise((resolve) => client.addEventListener("socketclose", resolve, { once: true }));
    return { exitCode, calls, reported };
  } finally {
    client?.disconnect();
    globalThis.reportError = reportError;
  }
}

/** Runs a guest out of what another frame has: its bytes, a view of them, its module, a response, and to a stream of it. */
export async function fromFrame({ url, redis, strategy }) {
  const frame = document.createElement("iframe");
  document.body.append(frame);
  const other = frame.contentWindow;
  try {
    const bytes = await (await fetch("/guests/redis-ping.wasm")).arrayBuffer();
    const buffer = new other.ArrayBuffer(bytes.byteLength);
    new Uint8Array(buffer).set(new Uint8Array(bytes));
    const sources = {
      buffer, view: new other.Uint8Array(buffer), module: new other.WebAssembly.Module(buffer),
      response: new other.Response(buffer, { headers: { "content-type": "application/wasm" } }),
    };
    if (buffer instanceof ArrayBuffer) throw new Error("the frame shares the page's ArrayBuffer");
    const answers = {};
    for (const [name, source] of Object.entries(sources)) {
      const options = { url, strategy, args: ["redis-ping", "127.0.0.1", redis, "PING"] };
      answers[name] = (await run(await compile(source), options)).stdout;
    }
    let streamed = "";
    const stdout = new other.WritableStream({ write: (part) => { streamed += new TextDecoder().decode(part); } });
    await run(sources.module, { url, strategy, args: ["redis-ping", "127.0.0.1", redis, "PING"], stdout });
    return { ...answers, streamed };
  } finally {
    frame.remove();
  }
}

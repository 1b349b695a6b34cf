// The bridge's types as a program uses them; checked, never run.

import { WasmnetClient } from "wasmnet";
import { WasmnetClient as Whole } from "wasmnet/wasmnet-client.min.js";
import { emscriptenWebSocket as fromItsModule } from "wasmnet/wasi/emscripten.js";
import { replaceWs } from "wasmnet/wasi/emscripten-node.js";
import { emscriptenWebSocket, MissingImports, NoStrategy, run, shareClient, socketInterfaces, wrapImports, type RunResult } from "wasmnet/wasi/index.js";

const client: WasmnetClient = new Whole("ws://127.0.0.1:9000/");

export async function uses(signal?: AbortSignal, token?: string): Promise<RunResult> {
  await run("a.wasm", {
    url: "ws://127.0.0.1:9000/", args: ["a"], listen: [{ port: 0 }], onlisten: ([listener]) => console.log(listener?.port),
    clientOptions: { token }, workerUrl: new URL("https://page.example/worker.js"), signal,
  });
  const bridge = wrapImports({ wasi_snapshot_preview1: {} }, { client });
  const module = new WebAssembly.Module(new Uint8Array());
  try {
    bridge.check(module);
  } catch (error) {
    if (error instanceof MissingImports) console.log(error.names.join());
    if (error instanceof NoStrategy) console.log(error.message);
  }
  await bridge.start(new WebAssembly.Instance(module, bridge.imports));
  const lent = shareClient(client);
  wrapImports({}, { client: lent.link, strategy: "sab" });
  await lent.finish();
  globalThis.WebSocket = emscriptenWebSocket(client, { sendBuffer: 1 << 20, isDatagram: (host, port) => port === 53 });
  globalThis.WebSocket = fromItsModule(client);
  socketInterfaces(client);
  const takeBack = replaceWs(client, { sendBuffer: 1 << 20 });
  takeBack();
  // @ts-expect-error one of the three strategies
  void run("a.wasm", { url: "ws://127.0.0.1:9000/", strategy: "threads" });
  return run(new Uint8Array(), { client, stdin: "text", stdout: (bytes) => console.log(bytes.length), signal: new AbortController().signal });
}

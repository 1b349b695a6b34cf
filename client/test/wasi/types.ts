// Checked by tsc, never run: the bridge's types as a program uses them.

import { WasmnetClient } from "../../wasmnet-client.js";
import { replaceWs } from "../../wasi/emscripten-node.js";
import { emscriptenWebSocket, MissingImports, run, shareClient, socketInterfaces, wrapImports, type RunResult } from "../../wasi/index.js";

const client = new WasmnetClient("ws://127.0.0.1:9000/");

export async function uses(): Promise<RunResult> {
  await run("a.wasm", { url: "ws://127.0.0.1:9000/", args: ["a"], listen: [{ port: 0 }], onlisten: ([{ port }]) => console.log(port) });
  const bridge = wrapImports({ wasi_snapshot_preview1: {} }, { client });
  const module = new WebAssembly.Module(new Uint8Array());
  try {
    bridge.check(module);
  } catch (error) {
    if (error instanceof MissingImports) console.log(error.names.join());
  }
  await bridge.start(new WebAssembly.Instance(module, bridge.imports));
  const lent = shareClient(client);
  wrapImports({}, { client: lent.link, strategy: "sab" });
  await lent.finish();
  globalThis.WebSocket = emscriptenWebSocket(client, { sendBuffer: 1 << 20, isDatagram: (host, port) => port === 53 });
  socketInterfaces(client);
  const takeBack = replaceWs(client, { sendBuffer: 1 << 20 });
  takeBack();
  return run(new Uint8Array(), { client, stdin: "text", stdout: (bytes) => console.log(bytes.length), signal: new AbortController().signal });
}

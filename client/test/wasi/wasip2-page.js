// In the browser: runs a core module of wasip2 whose sockets are socketInterfaces()', lowered as by jco; its standard streams are a shim's.

import { WasmnetClient } from "../../wasmnet-client.js";
import { compile, socketInterfaces } from "../../wasi/index.js";
import { lowerImports } from "./canonical.js";
import { ForeignShim } from "./foreign-shim.js";

/** Runs a guest to its end: { exitCode, output, open }, `open` being the resources that it did not drop. */
export async function wasip2({ guest, args, url }, tell) {
  const module = await compile(`/guests/wasip2-${guest}.wasm`);
  const client = new WasmnetClient(url);
  await client.ready();
  const shim = new ForeignShim([guest, ...args]);
  shim.onoutput = () => tell({ type: "output", text: shim.output });
  let lastFd = 9;
  const standard = {
    ...shim.wasiImport,
    adapter_open_badfd: (pointer) => {
      new DataView(shim.inst.exports.memory.buffer).setUint32(pointer, ++lastFd, true);
      return 0;
    },
    adapter_close_badfd: () => 0,
  };
  const { imports, openHandles } = lowerImports(socketInterfaces(client), () => shim.inst, { suspend: (call) => new WebAssembly.Suspending(call) });
  shim.inst = await WebAssembly.instantiate(module, { ...imports, wasi_snapshot_preview1: standard });
  let exitCode = 0;
  try {
    await WebAssembly.promising(shim.inst.exports._start)();
  } catch (error) {
    if (error.exitCode === undefined) throw error;
    exitCode = error.exitCode;
  }
  client.disconnect();
  return { exitCode, output: shim.output, open: openHandles() };
}

// A classic Worker with the plain script of emcc: it reads its settings from the global Module.

onmessage = async ({ data: { script, args, url } }) => {
  const [{ WasmnetClient }, { emscriptenWebSocket }] = await Promise.all([import("../../wasmnet-client.js"), import("../../wasi/emscripten.js")]);
  self.WebSocket = emscriptenWebSocket(new WasmnetClient(url));
  const output = { stdout: "", stderr: "" };
  self.Module = {
    arguments: args,
    locateFile: (name) => new URL(name, script).href,
    print: (line) => { output.stdout += `${line}\n`; },
    printErr: (line) => { output.stderr += `${line}\n`; },
    onExit: (exitCode) => postMessage({ exitCode, ...output }),
  };
  importScripts(script);
};

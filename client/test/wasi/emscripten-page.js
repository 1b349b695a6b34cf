// In the browser: runs programs as emcc built them, with its class as the realm's WebSocket.

import { WasmnetClient } from "../../wasmnet-client.js";
import { emscriptenWebSocket } from "../../wasi/index.js";

/** How emcc's output is loaded: an ES module, or a script that leaves a factory function behind. */
const factories = {
  "emscripten-transfer": async () => (await import("/guests/emscripten-transfer.mjs")).default,
  "emscripten-threads": async () => {
    if (!globalThis.emscriptenThreads) {
      const script = document.createElement("script");
      script.src = "/guests/emscripten-threads.js";
      await new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = reject;
        document.head.append(script);
      });
    }
    return globalThis.emscriptenThreads;
  },
};

/** Runs a program in the page to its end: { exitCode, stdout, stderr }. Destinations with the port `udp` are datagrams. */
export async function emscripten({ program, args, url, sendBuffer, udp }, tell) {
  const create = await factories[program]();
  const client = new WasmnetClient(url);
  const Native = globalThis.WebSocket;
  globalThis.WebSocket = emscriptenWebSocket(client, { sendBuffer, isDatagram: (host, port) => port === udp });
  const output = { stdout: "", stderr: "" };
  const collect = (name) => (line) => {
    output[name] += `${line}\n`;
    tell({ type: "output", text: line });
  };
  try {
    const exitCode = await new Promise((resolve, reject) => {
      create({ arguments: args, print: collect("stdout"), printErr: collect("stderr"), onExit: resolve, onAbort: (what) => reject(new Error(`aborted: ${what}`)) }).catch(reject);
    });
    return { exitCode, ...output };
  } finally {
    globalThis.WebSocket = Native;
    client.disconnect();
  }
}

/** The same for a plain script, in a separate Worker. */
export async function emscriptenInWorker({ program, args, url }) {
  const worker = new Worker(new URL("emscripten-worker.js", import.meta.url));
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ script: new URL(`/guests/${program}.js`, location).href, args, url });
    });
  } finally {
    worker.terminate();
  }
}

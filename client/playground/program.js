// One run of one program with its own client, in the current thread; all events are reported as plain messages.

import { run } from "../client/wasi/index.js";
import { WasmnetClient } from "../client/wasmnet-client.js";

/** The interval between two reads of the byte counts of live sockets, in ms. */
const LOOK_MS = 250;
const LINGER_MS = 5000;
const ORDERLY = new Set(["normal", "client_closed"]);

/** The typed input, for run(). */
class Lines {
  #lines = [];
  #hasEnded = false;
  #wake = null;

  push(line) {
    this.#lines.push(line);
    this.#wake?.();
  }

  end() {
    this.#hasEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#lines.length) yield this.#lines.shift();
      if (this.#hasEnded) return;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }
}

/** A socket as shown in the table. */
function describe(socket) {
  const isBound = socket.kind === "listener" || socket.kind === "udp-listener";
  const port = isBound && socket.localPort ? socket.localPort : socket.port;
  const host = socket.host?.includes(":") ? `[${socket.host}]` : socket.host;
  const destination = socket.kind === "accepted" ? socket.remote : `${host}:${port}`;
  return {
    id: socket.id, kind: socket.kind, destination, state: socket.state, bytesUp: socket.bytesUp, bytesDown: socket.bytesDown,
    detail: socket.remote && socket.remote !== destination ? socket.remote : "",
    code: socket.ending?.code ?? "", message: socket.ending?.message ?? "",
    isFailure: socket.ending !== null && !ORDERLY.has(socket.ending.code),
  };
}

/** Resolves when every socket has ended, so that the program's last data is sent; or after LINGER_MS. */
function drained(client) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const check = () => {
      if (client.openSockets.length) return;
      clearTimeout(timer);
      resolve();
    };
    client.addEventListener("socketclose", check);
    check();
  });
}

/**
 * @param settings {module, args, env, url, token, listen, strategy: "jspi" | "sab"}
 * @param {(message) => void} tell receives {type: "out" | "err" | "sockets" | "node" | "listening" | "refused" | "exit" | "failed", ...}
 * @returns {{line(text), end(), stop()}} standard input, and the end
 */
export function startProgram(settings, tell) {
  const { module, args, env, url, token, listen, strategy } = settings;
  const client = new WasmnetClient(url, token ? { token } : {});
  const input = new Lines();
  const controller = new AbortController();
  const look = () => {
    const sockets = client.openSockets;
    if (sockets.length) tell({ type: "sockets", sockets: sockets.map(describe) });
  };
  const timer = setInterval(look, LOOK_MS);
  for (const type of ["socketopen", "socketclose"]) {
    client.addEventListener(type, ({ socket }) => tell({ type: "sockets", sockets: [describe(socket)] }));
  }
  client.addEventListener("connected", ({ version, terms }) => tell({ type: "node", state: "up", version, name: terms?.node ?? "" }));
  client.addEventListener("goaway", ({ message }) => tell({ type: "node", state: "wait", message }));
  client.addEventListener("disconnected", ({ error, retryInMs }) => {
    if (error.code !== "client_closed") tell({ type: "node", state: retryInMs === null ? "lost" : "wait", message: error.message });
  });
  const write = (type) => (part) => tell({ type, bytes: part });
  run(module, {
    client, strategy, worker: strategy === "sab", args, env, listen, stdin: input, stdout: write("out"), stderr: write("err"),
    signal: controller.signal, onlisten: (opened) => tell({ type: "listening", listeners: opened }),
    onrefused: ({ text }) => tell({ type: "refused", text }),
  }).then(
    ({ exitCode }) => tell({ type: "exit", exitCode }),
    (error) => tell({ type: "failed", name: error?.name ?? "Error", message: String(error?.message ?? error) }),
  ).then(() => (controller.signal.aborted ? undefined : drained(client))).finally(() => {
    look();
    clearInterval(timer);
    client.disconnect();
    tell({ type: "done" });
  });
  return { line: (text) => input.push(text), end: () => input.end(), stop: () => controller.abort(new Error("stopped")) };
}

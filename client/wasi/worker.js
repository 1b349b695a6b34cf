// A program's own thread. The first message describes the program and its options; the rest is its input.

import { WasmnetClient } from "../wasmnet-client.js";
import { Input } from "./input.js";
import { JspiBlocker } from "./jspi.js";
import { runProgram } from "./program.js";
import { RemoteTransport } from "./remote.js";
import { SabBlocker } from "./sab.js";
import { ClientTransport } from "./transport.js";

let input = null;
let output = null;

onmessage = ({ data }) => {
  if (data.type === "input") return input.push(data.bytes);
  if (data.type === "inputEnd") return input.end();
  if (data.type === "outputTaken") return output.taken(data.count);
  return start(data);
};

async function start({ module, strategy, url, clientOptions, link, options }) {
  const write = (type) => (bytes) => postMessage({ type, bytes }, [bytes.buffer]);
  let client = null;
  try {
    let blocker;
    let transport;
    if (strategy === "sab") {
      transport = new RemoteTransport(link);
      blocker = new SabBlocker(transport);
    } else {
      client = new WasmnetClient(url, clientOptions);
      transport = new ClientTransport(client, (refusal) => postMessage({ type: "refused", refusal }));
      blocker = new JspiBlocker();
    }
    const result = await runProgram(module, {
      ...options, blocker, transport, stdout: write("stdout"), stderr: write("stderr"),
      onlisten: (listeners) => postMessage({ type: "listening", listeners }),
      onready: (readyInput, readyOutput) => {
        input = readyInput;
        output = readyOutput;
        if (strategy === "sab") Object.assign(transport, { input, output });
        else input.onread = (count) => postMessage({ type: "inputConsumed", count });
      },
    });
    await transport.drained?.();
    postMessage({ type: "exit", exitCode: result.exitCode });
  } catch (error) {
    const { name, message, stack, names, code, retryAfterMs, errno } = error;
    postMessage({ type: "error", error: { name, message, stack, names, code, retryAfterMs, errno } });
  } finally {
    client?.disconnect();
  }
}

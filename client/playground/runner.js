// Where a program runs. With promise integration: in a Worker, with the client. With shared memory: run() creates the Worker, and the
// client stays in this thread, which serves it.

import { startProgram } from "./program.js";

/** Like startProgram. */
export function startRun(settings, tell) {
  if (settings.strategy === "sab") return startProgram(settings, tell);
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const finish = () => {
    worker.terminate();
    tell({ type: "done" });
  };
  worker.onmessage = ({ data }) => (data.type === "done" ? finish() : tell(data));
  worker.onerror = (event) => {
    event.preventDefault();
    tell({ type: "failed", name: "Error", message: event.message || "the program's Worker cannot be loaded" });
    finish();
  };
  worker.postMessage({ type: "start", settings });
  return {
    line: (text) => worker.postMessage({ type: "line", text }),
    end: () => worker.postMessage({ type: "end" }),
    stop: () => {
      tell({ type: "failed", name: "", message: "stopped" });
      finish();
    },
  };
}

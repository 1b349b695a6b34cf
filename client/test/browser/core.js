// Runs the client in this page, or in a Worker of it.

import { coreWork } from "./core-work.js";
import { inWorker, report } from "./page.js";

report((params) => (params.worker ? inWorker(new URL("core-worker.js", import.meta.url), params) : coreWork(params)));

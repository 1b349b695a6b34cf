// The third-party shim in a Worker, with a client that the page lent it.

import { wrapImports } from "../../wasi/index.js";
import { runOnShim } from "./foreign-shim.js";

onmessage = async ({ data: { link, module, args, files } }) => {
  try {
    postMessage({ value: await runOnShim({ module, args, files, client: link, strategy: "sab", wrapImports }) });
  } catch (error) {
    postMessage({ error: `${error}\n${error.stack}` });
  }
};

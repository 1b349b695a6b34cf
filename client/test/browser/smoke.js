// The features of the browser under test.

import { report } from "./page.js";

report((params) => ({
  params,
  isolated: crossOriginIsolated,
  jspi: typeof WebAssembly.Suspending === "function",
  shared: typeof SharedArrayBuffer === "function",
}));

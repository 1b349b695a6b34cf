// A program's Worker, from any origin of this package and the page.

import { pageUrl } from "./arguments.js";

/** Module by address -> the address of a blob that imports it. */
const blobs = new Map();

/**
 * @param {string | URL} [workerUrl] where worker.js is; without one, beside this module
 * @returns {{worker: Worker, advice: string}} and the advice to show if it cannot be loaded
 */
export function startWorker(workerUrl) {
  const own = import.meta.url;
  const url = workerUrl === undefined ? own?.replace(/[^/]*$/, "worker.js") : new URL(workerUrl, pageUrl()).href;
  const advice = `the program's Worker cannot be loaded from ${url ?? "a script that is no module"}: where a bundler left it out, make a bundle of `
    + "wasmnet/wasi/worker.js and give its address as workerUrl; a Content-Security-Policy must name its origin in worker-src and script-src";
  const start = (address) => new Worker(address, { type: "module" });
  try {
    if (url && /^https?:/.test(url) && new URL(url).origin !== location.origin) return { worker: start(blobFor(url)), advice };
    if (workerUrl !== undefined) return { worker: start(url), advice };
    // Bundlers recognize this expression, and emit a file for the Worker and all its imports.
    return { worker: new Worker(new URL("./worker.js", import.meta.url), { type: "module" }), advice };
  } catch (error) {
    throw new Error(advice, { cause: error });
  }
}

/** A page starts only Workers of its own origin, and this one is; the module it imports need not be. */
function blobFor(url) {
  if (!blobs.has(url)) blobs.set(url, URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" })));
  return blobs.get(url);
}

// wasmnet-client.min.js is all of wasmnet-client.js in one module; a release and the node have it.

export * from "./wasmnet-client.js";

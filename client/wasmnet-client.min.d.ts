// wasmnet-client.min.js is all of wasmnet-client.js in one module; a release and the node include it.

export * from "./wasmnet-client.js";

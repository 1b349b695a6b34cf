// WASI programs with real sockets in a browser.

export { run, pickStrategy, NoStrategy } from "./run.js";
export { compile } from "./compile.js";
export { wrapImports } from "./wrap.js";
export { shareClient } from "./service.js";
export { MissingImports } from "./bridge.js";
export { ListenError } from "./core.js";
export { Errno, codeTable, errnoOf } from "./errno.js";
export { hasJspi } from "./jspi.js";
export { hasSharedMemory } from "./sab.js";
export { emscriptenWebSocket } from "./emscripten.js";
export { socketInterfaces } from "./sockets02.js";

// Debian's node-ws. Debian's Node finds it by name; others get its path.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

function load() {
  try {
    return require("ws");
  } catch {
    return require("/usr/share/nodejs/ws");
  }
}

export const { WebSocket, WebSocketServer } = load();

// Debian's node-ws. Its own Node finds it by name; others are shown where it is.

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

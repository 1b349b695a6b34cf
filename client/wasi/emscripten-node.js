// The same for Emscripten programs in Node, whose SOCKFS takes its WebSocket from require("ws").

import Module from "node:module";
import { emscriptenWebSocket } from "./emscripten.js";

/**
 * Modules that require("ws") from now on get a class whose connections are sockets of `client`. Clients only: Server throws.
 *
 * @param client a WasmnetClient that has its own WebSocket already
 * @param [options] sendBuffer, isDatagram: see emscriptenWebSocket
 * @returns a function that undoes this
 */
export function replaceWs(client, options = {}) {
  const load = Module._load;
  const Sockets = emscriptenWebSocket(client, { ...options, Native: Refused });
  const NodeSocket = class WebSocket extends Sockets {
    // Emscripten 3.1.6 passes { protocol }, later versions an array.
    constructor(url, protocols) { super(url, typeof protocols?.protocol === "string" ? protocols.protocol.split(",") : protocols); }

    on(type, listener) {
      this.addEventListener(type, (event) => {
        // The second argument is the flag of `ws` from 8 on, and the object of earlier versions: SOCKFS checks both.
        if (type === "message") listener(new Uint8Array(event.data), { binary: true });
        else listener(event);
      });
      return this;
    }
  };
  NodeSocket.WebSocket = NodeSocket;
  NodeSocket.Server = NodeSocket.WebSocketServer = Refused;
  const replaced = (request, ...rest) => (request === "ws" ? NodeSocket : load.call(Module, request, ...rest));
  Module._load = replaced;
  return () => {
    if (Module._load === replaced) Module._load = load;
  };
}

class Refused {
  constructor() { throw new Error("only connections of SOCKFS with the subprotocol \"binary\" go through the client"); }
}

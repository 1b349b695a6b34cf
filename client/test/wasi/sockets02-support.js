// A client's wasi:sockets 0.2, and the calls that jco makes on it, for tests in Node with a real node.

import { after, before } from "node:test";
import { WasmnetClient } from "../../wasmnet-client.js";
import { socketInterfaces } from "../../wasi/index.js";
import { WebSocket } from "../ws.js";
import { startNode } from "./peers.js";
import { startBulk, startEcho } from "./bulk-peer.js";

export const text = (bytes) => new TextDecoder().decode(bytes);
export const bytes = (string) => new TextEncoder().encode(string);
export const v4 = (port, ...address) => ({ tag: "ipv4", val: { port, address: address.length ? address : [127, 0, 0, 1] } });
export const v6 = (port, ...address) => ({ tag: "ipv6", val: { port, flowInfo: 0, address: address.length ? address : [0, 0, 0, 0, 0, 0, 0, 1], scopeId: 0 } });
export const drop = (resource) => resource[Symbol.dispose ?? Symbol.for("dispose")]();

/** The value that a call throws, which must not be an Error: jco would trap. */
export const thrown = (call) => {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) throw error;
    return error;
  }
  return "nothing thrown";
};

export let echo;
export let bulk;
let node;
const clients = [];
before(async () => { [node, echo, bulk] = await Promise.all([startNode(), startEcho("127.0.0.1"), startBulk()]); });
after(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all([node, echo, bulk].map((peer) => peer?.end()));
});

export function open(url = node.url) {
  const client = new WasmnetClient(url, { WebSocket, reconnect: false });
  clients.push(client);
  const modules = socketInterfaces(client);
  const network = modules["wasi:sockets/instance-network"].instanceNetwork();
  const tcp = (family = "ipv4") => modules["wasi:sockets/tcp-create-socket"].createTcpSocket(family);
  const udp = (family = "ipv4") => modules["wasi:sockets/udp-create-socket"].createUdpSocket(family);
  return {
    client, modules, network, tcp, udp,
    async connected(port) {
      const socket = tcp();
      socket.startConnect(network, v4(port));
      await socket.subscribe().block();
      return [socket, ...socket.finishConnect()];
    },
    async listening(address = v4(0)) {
      const socket = tcp();
      socket.startBind(network, address);
      await socket.subscribe().block();
      socket.finishBind();
      socket.startListen();
      await socket.subscribe().block();
      socket.finishListen();
      return socket;
    },
    async boundUdp(address = v4(0)) {
      const socket = udp();
      socket.startBind(network, address);
      await socket.subscribe().block();
      socket.finishBind();
      return socket;
    },
  };
}

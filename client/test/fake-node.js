// A node that follows a test's script, for behaviour that a real one never has: silence, nonsense, an old version, a slow hello.

import { once } from "node:events";
import { WebSocketServer } from "./ws.js";

export const HELLO = {
  version: "0", node: "fake", session: "s", window: 262144, max_message: 1 << 20, max_sockets: 4096, heartbeat_ms: 30000,
};

/** A binary message: type, id, then numbers as [bytes, value], strings and byte arrays. */
export function message(type, id, ...parts) {
  const head = Buffer.alloc(9);
  head[0] = type;
  head.writeBigUInt64BE(BigInt(id), 1);
  return Buffer.concat([head, ...parts.map((part) => {
    if (!Array.isArray(part)) return Buffer.from(part);
    const number = Buffer.alloc(part[0]);
    if (part[0] === 8) number.writeBigUInt64BE(BigInt(part[1]));
    else number.writeUIntBE(part[1], 0, part[0]);
    return number;
  })]);
}

/**
 * @param {(peer: {ws, send(...), requests, request(type)}, request) => void} script
 * @returns {Promise<{url, peers, close()}>}
 */
export async function startFakeNode({ port = 0, protocol = "wasmnet.v2", hello = HELLO, onconnection = () => {} } = {}) {
  const server = new WebSocketServer({
    host: "127.0.0.1", port, handleProtocols: (offered) => (protocol && offered.has(protocol) ? protocol : false),
  });
  await once(server, "listening");
  const peers = [];
  server.on("connection", (ws, request) => {
    const peer = new Peer(ws, request);
    peers.push(peer);
    if (hello && ws.protocol === "wasmnet.v2") peer.send(0x90, 0, JSON.stringify(hello));
    onconnection(peer);
    server.emit("peer", peer);
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}/`,
    peers,
    server,
    async close() {
      for (const peer of peers) peer.ws.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

class Peer {
  requests = [];
  #waiting = [];

  constructor(ws, request) {
    this.ws = ws;
    this.offer = request.headers["sec-websocket-protocol"];
    ws.on("message", (data, isBinary) => {
      const parsed = isBinary
        ? { type: data[0], id: Number(data.readBigUInt64BE(1)), payload: data.subarray(9) }
        : JSON.parse(data.toString());
      this.requests.push(parsed);
      this.#waiting = this.#waiting.filter(({ match, resolve }) => !match(parsed) || resolve(parsed));
    });
  }

  send(type, id, ...parts) { this.ws.send(message(type, id, ...parts)); }

  /** The first request that matches, whether it has arrived or is still to arrive. */
  request(match) {
    const found = this.requests.find(match);
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }
}

/** A fake node that ends with its test. */
export async function fake(t, options) {
  const node = await startFakeNode(options);
  t.after(() => node.close());
  return node;
}

/** Lets all messages in transit arrive, and their effects: a lookup and its answer use the same WebSocket. */
export async function settle(client, peer) {
  await roundTrip(client, peer);
  await roundTrip(client, peer);
}

async function roundTrip(client, peer) {
  const lookup = client.resolve("settle").catch(() => {});
  const { id } = await peer.request((request) => request.type === 0x08 && !request.seen && (request.seen = true));
  peer.send(0x89, id, "[]");
  await lookup;
}

export const opening = (peer) => peer.request((request) => request.type === 0x01 && !request.seen && (request.seen = true));
export const connected = (peer, id) => peer.send(0x81, id, '{"local":"1.1.1.1:1","remote":"2.2.2.2:2"}');

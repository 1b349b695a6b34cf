// Sockets for unchanged Emscripten programs. Their SOCKFS opens `new WebSocket("ws://host:port/", ["binary"])` for each connect();
// this class intercepts those and opens a socket of the one connection instead. All others use the browser's WebSocket.

import { check, optionsOf } from "../lib/check.js";
import { call } from "../lib/errors.js";
import { clientOf } from "./arguments.js";
import { gatherLast, receiveQueueOf } from "./emscripten-queue.js";
import { RefusalTeller } from "./refusal.js";

const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** Unread datagrams, or data of a stream over v1, that SOCKFS's queue holds before the rest waits in the client. */
const mostDatagramBytes = 256 * 1024;
const mostDatagrams = 2048;
const mostUnread = 1024 * 1024;

/** SOCKFS's first message on a bound datagram socket, followed by two bytes of its port; it interprets any first message as this. */
const portMessage = [255, 255, 255, 255, 0x70, 0x6f, 0x72, 0x74];
const isPortMessage = (bytes) => bytes.length === 10 && portMessage.every((byte, index) => bytes[index] === byte);

/**
 * A class to replace `globalThis.WebSocket` before the program starts, in the realm (page or Worker) that it runs in.
 *
 * @param client a WasmnetClient, created before its WebSocket is replaced
 * @param {object} [options]
 * @param {number} [options.sendBuffer] bytes of a socket that may wait for the node before send() returns EAGAIN. Default: no bound
 * @param {(host: string, port: number) => boolean} [options.isDatagram] selects UDP destinations, which SOCKFS does not. Default: none
 * @param {(refusal) => void} [options.onrefused] receives refusals in words; SOCKFS has one errno for them: see refusal.js. Default: none
 * @param [options.Native] the class for other WebSockets. Default: the global one
 */
export function emscriptenWebSocket(client, options) {
  clientOf(client);
  const { sendBuffer = Infinity, isDatagram = () => false, onrefused, Native = globalThis.WebSocket } = optionsOf(options);
  if (sendBuffer !== Infinity) check("sendBuffer", sendBuffer, [1, Number.MAX_SAFE_INTEGER]);
  for (const [name, callback] of Object.entries({ isDatagram, onrefused, Native })) check(name, callback, "function");
  const refusals = new RefusalTeller(onrefused);
  return class WasmnetWebSocket extends EventTarget {
    static {
      Object.assign(this, states);
      Object.assign(this.prototype, states);
    }

    /** Both kinds are instances of WebSocket for any check. */
    static [Symbol.hasInstance](value) { return (typeof value === "object" && value !== null && #socket in value) || (Native !== undefined && value instanceof Native); }

    binaryType = "arraybuffer";
    extensions = "";
    protocol = "binary";
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    #state = states.CONNECTING;
    #socket;
    #queue = null;
    #hasReceived = false;
    #unread = 0;
    #hasSent = false;
    #isFull = false;

    constructor(url, protocols) {
      if (![protocols].flat().includes("binary")) return new Native(url, ...(protocols === undefined ? [] : [protocols]));
      super();
      this.url = String(url);
      const { host, port } = targetOf(this.url);
      const isUdp = isDatagram(host, port);
      this.#socket = client.socket(isUdp ? "udp" : "tcp", host, port, {
        onopen: () => this.#opened(),
        ondata: (chunk) => this.#received(chunk),
        ondatagram: (bytes) => this.#hand(bytes),
        // SOCKFS has no half-close: the peer's end is the socket's, once the sent data is out.
        onend: () => this.close(),
        onsendable: () => {
          if (!this.#isFull) return;
          // Later SOCKFS (since late 2024) queues data sent meanwhile, and sends it when the socket opens.
          this.#isFull = false;
          this.#opened();
        },
        onclosed: (error) => {
          refusals.tell(isUdp ? "udp" : "tcp", host, port, error, client);
          this.#ended(error);
        },
      });
    }

    /** A full socket is "connecting" to SOCKFS: poll() reports that it is not writable, and send() returns EAGAIN. */
    get readyState() { return this.#isFull && this.#state === states.OPEN ? states.CONNECTING : this.#state; }

    get bufferedAmount() { return this.#socket.queued; }

    send(data) {
      if (this.#state === states.CONNECTING) throw new DOMException("the socket is not open yet", "InvalidStateError");
      if (this.#state !== states.OPEN) return;
      const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
      const isFirst = !this.#hasSent;
      this.#hasSent = true;
      if (isFirst && isPortMessage(bytes)) {
        // A datagram socket that was not declared as one must not write its datagrams into a stream.
        if (!this.#socket.isDatagram) this.#socket.reset();
        return;
      }
      this.#socket.send(bytes);
      this.#isFull = this.#socket.queued > 0 && this.#socket.queued >= sendBuffer;
    }

    close() {
      if (this.#state >= states.CLOSING) return;
      this.#state = states.CLOSING;
      this.#socket.close();
    }

    #opened() {
      if (this.#state > states.OPEN) return;
      this.#state = states.OPEN;
      this.#tell(new Event("open"));
    }

    #received(chunk) {
      // SOCKFS would interpret the beginning of such a stream as a datagram socket's port: split in two it does not.
      const parts = !this.#hasReceived && isPortMessage(chunk) ? [chunk.subarray(0, 4), chunk.subarray(4)] : [chunk];
      for (const part of parts) this.#hand(part);
    }

    /** Credit is granted as the program reads; if its queue cannot be observed, at once. */
    #hand(bytes) {
      if (this.#hasReceived || bytes.length === 0) {
        this.#message(bytes);
        if (this.#queue && !this.#socket.isDatagram) gatherLast(this.#queue);
      } else {
        this.#hasReceived = true;
        this.#queue = receiveQueueOf(bytes.length, () => this.#message(bytes), (count) => this.#read(count));
      }
      this.#unread += bytes.length;
      if (!this.#queue) this.#read(bytes.length);
      else this.#pause();
    }

    #read(count) {
      this.#unread -= count;
      if (count > 0) this.#socket.consumed(count);
      this.#pause();
    }

    /** Datagrams, and data over v1, have no credit: data beyond SOCKFS's queue waits in the client, within its bounds. */
    #pause() {
      const most = this.#socket.isDatagram ? mostDatagramBytes : client.version === 1 ? mostUnread : Infinity;
      const isPaused = this.#unread > most || (this.#socket.isDatagram && this.#queue?.length > mostDatagrams);
      if (this.#socket.paused !== isPaused) this.#socket.paused = isPaused;
    }

    #message(bytes) {
      const data = bytes.slice().buffer;
      this.#tell(new MessageEvent("message", { data: this.binaryType === "blob" ? new Blob([data]) : data }));
    }

    #ended(error) {
      this.#state = states.CLOSED;
      const wasClean = error.code === "normal" || error.code === "client_closed";
      if (!wasClean) this.#tell(new Event("error"));
      const details = { wasClean, code: wasClean ? 1000 : 1006, reason: error.code };
      // Node has CloseEvent only since 23.
      this.#tell(typeof CloseEvent === "function" ? new CloseEvent("close", details) : Object.assign(new Event("close"), details));
    }

    #tell(event) {
      call((value) => this[`on${event.type}`]?.(value), event);
      this.dispatchEvent(event);
    }
  };
}

/** SOCKFS writes an IPv6 address without brackets, and always the port. */
function targetOf(url) {
  const [, scheme, host, port] = /^(wss?):\/\/([^/?#]*?)(?::(\d+))?(?:[/?#]|$)/.exec(url) ?? [];
  if (!host) throw new DOMException(`${url} names no host`, "SyntaxError");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port ?? (scheme === "wss" ? 443 : 80)) };
}

// Sockets for unchanged Emscripten programs. Their SOCKFS opens `new WebSocket("ws://host:port/", ["binary"])` for each connect();
// the class here takes those and opens a socket of the one connection instead. Every other use gets the browser's WebSocket.

const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** What SOCKFS sends first on a datagram socket, with its port after it: nothing a stream's peer should see. */
const portMessage = [255, 255, 255, 255, 0x70, 0x6f, 0x72, 0x74];

/**
 * A class to put in place of `globalThis.WebSocket` before the program starts: TCP only, for SOCKFS knows no other.
 *
 * @param client a WasmnetClient, made before its WebSocket is replaced
 */
export function emscriptenWebSocket(client, Native = globalThis.WebSocket) {
  return class WasmnetWebSocket extends EventTarget {
    static {
      Object.assign(this, states);
      Object.assign(this.prototype, states);
    }

    binaryType = "arraybuffer";
    extensions = "";
    protocol = "binary";
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    readyState = states.CONNECTING;
    #socket;

    constructor(url, protocols) {
      const isSocket = [protocols].flat().includes("binary");
      if (!isSocket) return new Native(url, ...(protocols === undefined ? [] : [protocols]));
      super();
      this.url = String(url);
      const { hostname, port } = new URL(this.url.replace(/^ws/, "http"));
      this.#socket = client.socket("tcp", hostname.replace(/^\[|\]$/g, ""), Number(port || 80), {
        onopen: () => {
          this.readyState = states.OPEN;
          this.#tell(new Event("open"));
        },
        ondata: (chunk) => this.#received(chunk),
        // SOCKFS has no half-close: the peer's end is the socket's, once what was sent is out.
        onend: () => this.close(),
        onclosed: (error) => this.#ended(error),
      });
    }

    get bufferedAmount() { return this.#socket.queued; }

    send(data) {
      if (this.readyState === states.CONNECTING) throw new DOMException("the socket is not open yet", "InvalidStateError");
      if (this.readyState !== states.OPEN) return;
      const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
      if (bytes.length === 10 && portMessage.every((byte, index) => bytes[index] === byte)) return;
      this.#socket.send(bytes);
    }

    close() {
      if (this.readyState >= states.CLOSING) return;
      this.readyState = states.CLOSING;
      this.#socket.close();
    }

    #received(chunk) {
      const { length } = chunk;
      const data = chunk.slice().buffer;
      this.#tell(new MessageEvent("message", { data: this.binaryType === "blob" ? new Blob([data]) : data }));
      // SOCKFS takes whatever comes into a queue of its own and does not say when the program has read it.
      this.#socket.consumed(length);
    }

    #ended(error) {
      this.readyState = states.CLOSED;
      const wasClean = error.code === "normal" || error.code === "client_closed";
      if (!wasClean) this.#tell(new Event("error"));
      this.#tell(new CloseEvent("close", { wasClean, code: wasClean ? 1000 : 1006, reason: error.code }));
    }

    #tell(event) {
      this[`on${event.type}`]?.(event);
      this.dispatchEvent(event);
    }
  };
}

// A node in this process that answers like a real one, and sometimes sends other messages: a fuzzer's WebSocket, without a network.

const EVENTS = { connected: 0x81, data: 0x82, listening: 0x83, accepted: 0x84, closed: 0x85, error: 0x86, denied: 0x87, data_from: 0x88, resolved: 0x89, udp_bound: 0x8a,
  window: 0x8b, end: 0x8c, goaway: 0x8d, hello: 0x90 };
const ANSWERS = { 1: "connected", 2: "listening", 3: "listening", 6: "udp_bound", 8: "resolved", 9: "connected", 13: "udp_bound" };
const OPS = { connect: 1, bind: 2, listen: 3, send: 4, close: 5, connect_udp: 6, send_to: 7, resolve: 8, connect_tls: 9, bind_udp: 13 };
const NODE_ID = 2 ** 52;

/** Numbers at the limits of the fields. */
const EDGES = [0, 1, 2, 9, 255, 256, 2047, 2048, 65535, 65536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 - 1, NODE_ID, NODE_ID + 1, 2 ** 53 - 1];
const ODD = [null, true, false, "", "1", -1, 0.5, 1e308, [], {}, [[]], { toString: 1 }, { valueOf: 1, toString: 1 }, { length: 1, every: 1 }, { length: 1, forEach: 1 }, "constructor", "__proto__", "\u0000", "\ud800", "x".repeat(300), "x".repeat(5000)];

export function nodeClass(random, isWild) {
  return class extends EventTarget {
    static made = [];
    readyState = 0;
    bufferedAmount = 0;
    protocol = "";
    #ids = [];
    #accepted = 0;
    /** The last messages, for mutants. */
    #said = [];

    constructor(url, protocols = []) {
      super();
      this.constructor.made.push(this);
      const language = random.below(3);
      if (protocols.length) this.protocol = language === 0 && protocols.includes("wasmnet.v1") ? "wasmnet.v1" : protocols[0];
      queueMicrotask(() => this.#open());
    }

    get isV2() { return this.protocol === "wasmnet.v2"; }

    #open() {
      if (this.readyState !== 0) return;
      if (random.chance(30)) return this.end(random.pick([1006, 1001, 1008, 1013, 1002, 4000]), random.pick(["", "draining", "constructor", "not_admitted"]));
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      if (!this.isV2) return;
      const terms = { version: "1", node: "n", session: "s", window: random.pick([1, 1000, 65536, 262144, 16 << 20]), max_message: random.pick([2048, 65536, 1 << 20]),
        max_sockets: 4096, heartbeat_ms: 30000 };
      if (isWild && random.chance(4)) terms[random.pick(Object.keys(terms))] = random.pick([...EDGES, ...ODD]);
      this.say("hello", 0, terms);
    }

    send(message) {
      if (this.readyState !== 1) throw new DOMException("not open", "InvalidStateError");
      if (typeof message === "string") {
        const { op, id } = JSON.parse(message);
        this.#asked(OPS[op], id, true);
      } else {
        const view = new DataView(message.buffer, message.byteOffset);
        this.#asked(message[0], view.getUint32(1) * 2 ** 32 + view.getUint32(5), false);
      }
    }

    #asked(type, id, isText) {
      if (!this.#ids.includes(id)) this.#ids.push(id);
      // Never at once: a WebSocket's events are asynchronous.
      queueMicrotask(() => {
        if (random.chance(isWild ? 8 : 1e9)) return;
        const answer = ANSWERS[type];
        if (type === 5) this.say("closed", id, {}, isText);
        else if (answer && random.chance(8)) this.say(random.pick(["error", "denied"]), id, {}, isText);
        else if (answer) this.say(answer, id, {}, isText);
      });
    }

    close(code, reason) {
      if (this.readyState >= 2) return;
      this.readyState = 2;
      queueMicrotask(() => this.end(code ?? 1005, reason ?? ""));
    }

    end(code, reason) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }

    /** One unsolicited event of the node. */
    act() {
      if (this.readyState !== 1) return;
      const id = this.#id();
      this.say(random.pick(Object.keys(EVENTS)), id, {}, !this.isV2 && random.chance(2));
      if (random.chance(200)) this.end(1006, "");
    }

    #id() {
      if (isWild && random.chance(20)) return random.pick(EDGES);
      return this.#ids.length ? random.pick(this.#ids) : 0;
    }

    say(ev, id, given = {}, isText = false) {
      if (ev === "goaway" && !random.chance(20)) return;
      if (ev === "goaway" || ev === "hello") id = 0;
      const fields = { ...this.#fields(ev), ...given };
      if (ev === "accepted") this.#ids.push(fields.conn_id);
      let message = isText && !this.isV2 ? JSON.stringify({ ev, id, ...fields, data: fields.data && Buffer.from(fields.data).toString("base64") }) : this.#binary(ev, id, fields);
      if (isWild && random.chance(10)) message = this.#mutant(message);
      this.#said.push(message);
      if (this.#said.length > 20) this.#said.shift();
      if (this.readyState !== 1) return;
      this.dispatchEvent(Object.assign(new Event("message"), { data: typeof message === "string" ? message : message.slice().buffer }));
    }

    /** The fields of an event; of those with JSON sometimes one is odd. */
    #fields(ev) {
      const fields = this.#usual(ev);
      if (["connected", "resolved"].includes(ev) && isWild && random.chance(12)) fields[random.pick(Object.keys(fields))] = random.pick(ODD);
      return fields;
    }

    #usual(ev) {
      const edge = (usual) => (isWild && random.chance(12) ? random.pick(EDGES) : usual);
      switch (ev) {
        case "data": return { data: random.bytes(random.pick([0, 1, 10, 1000, 20000])) };
        case "data_from": return { data: random.bytes(random.pick([0, 1, 1000, 65507])), addr: "1.2.3.4", port: edge(53) };
        case "connected": return { local: "1.1.1.1:1", remote: random.pick(["2.2.2.2:2", "[::1]:3", "x", ""]), alpn: random.pick([undefined, "h2"]) };
        case "listening": case "udp_bound": return { port: edge(4000) };
        case "accepted": return { conn_id: edge(NODE_ID + ++this.#accepted), remote: "3.3.3.3:3" };
        case "closed": return { code: random.pick([0, 1, 2, 3, 52, 200]), msg: "over" };
        case "error": case "denied": return { code: random.pick([16, 19, 32, 66, 250]), retry_after_ms: edge(1000), msg: random.pick(["no", "x".repeat(isWild && random.chance(9) ? 5000 : 100)]) };
        case "resolved": return { addrs: random.pick([[], ["1.1.1.1"], ["::1", "1.2.3.4"]]) };
        case "window": return { bytes: edge(random.pick([1, 1000, 65536])) };
        case "goaway": return { reconnect_in_ms: edge(1), msg: "bye" };
      }
      return {};
    }

    #binary(ev, id, fields) {
      const parts = [];
      const number = (bytes, value) => {
        const part = Buffer.alloc(bytes);
        for (let i = bytes - 1, rest = Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0; i >= 0; i--, rest = Math.floor(rest / 256)) part[i] = rest % 256;
        parts.push(part);
      };
      const text = (value) => parts.push(Buffer.from(String(value)));
      const { isV2 } = this;
      number(1, EVENTS[ev]);
      number(8, id);
      if (ev === "data") parts.push(fields.data);
      if (ev === "connected" && isV2) text(JSON.stringify(fields));
      if (ev === "hello") text(JSON.stringify(fields));
      if (ev === "listening" || ev === "udp_bound") number(2, fields.port);
      if (ev === "accepted") { number(8, fields.conn_id); text(fields.remote); }
      if (ev === "closed" && isV2) { number(1, fields.code); text(fields.msg); }
      if (ev === "error" || ev === "denied") {
        if (isV2) { number(1, fields.code); number(4, fields.retry_after_ms); }
        text(fields.msg);
      }
      if (ev === "data_from") { number(2, fields.port); number(2, fields.addr.length); text(fields.addr); parts.push(fields.data); }
      if (ev === "resolved") text(JSON.stringify(fields.addrs));
      if (ev === "window") number(4, fields.bytes);
      if (ev === "goaway") { number(4, fields.reconnect_in_ms); text(fields.msg); }
      return new Uint8Array(Buffer.concat(parts));
    }

    #mutant(message) {
      if (typeof message === "string") return this.#mutantText(message);
      const bytes = message.slice();
      const at = random.below(bytes.length || 1);
      switch (random.below(9)) {
        case 0: bytes[at] ^= 1 << random.below(8); return bytes;
        case 1: bytes[at] = random.pick([0, 1, 127, 128, 255]); return bytes;
        case 2: return bytes.subarray(0, at);
        case 3: return new Uint8Array([...bytes, ...random.bytes(random.below(50))]);
        case 4: bytes[0] = random.next() >>> 24; return bytes;
        case 5: return new Uint8Array(random.bytes(random.below(40)));
        case 6: { const other = random.pick([...this.#said, message]); return typeof other === "string" ? this.#mutantText(other) : new Uint8Array([...bytes.subarray(0, at), ...other.subarray(at)]); }
        case 7: return random.chance(50) ? new Uint8Array([...bytes, ...new Uint8Array(1 << 20)]) : bytes;
        default: return random.chance(20) ? "text" : bytes.subarray(0, 9);
      }
    }

    #mutantText(text) {
      if (random.chance(3)) {
        const at = random.below(text.length || 1);
        return text.slice(0, at) + random.pick(["", "\"", "{", "[".repeat(5000), "\\u", "0", "e9"]) + text.slice(at + random.below(3));
      }
      try {
        const event = JSON.parse(text);
        event[random.pick([...Object.keys(event), "more"])] = random.pick([...EDGES, ...ODD, undefined]);
        return JSON.stringify(event);
      } catch {
        return text;
      }
    }
  };
}

// Serves a client to a guest in another thread over two rings: reads its requests, writes it events. Runs in the client's thread.

import { Ring, mostPayload } from "./ring.js";
import { Event, Request, decodeCount, decodeJson, decodePeer, decodeText, encodeCount, encodeJson, encodePeer, encodeText } from "./wire.js";
import { check, optionsOf } from "../lib/check.js";
import { clientOf } from "./arguments.js";
import { ClientTransport } from "./transport.js";

/** Bytes of each ring: several messages of the largest size. */
const ringBytes = 1024 * 1024;

/** Handles that this side assigns to accepted sockets; the guest counts up from 1. */
const firstAcceptedHandle = 0x80000000;

export class GuestService {
  #transport;
  #requests;
  #events;
  #port = null;
  #hasEnded = false;
  #channels = new Map();
  #queue = []; // events without room, in order
  #take = (type, handle, payload) => this.#request(type, handle, payload);
  #isTaking = false;
  #passed = new Map(); // by handle: bytes sent, which are reported to the guest when all its requests are read
  #nextHandle = firstAcceptedHandle;
  #oninputconsumed = () => {};

  /** The link for the guest's thread; post it there with `transfer`. */
  link;
  transfer;

  /** @param [onrefused] receives refusals by the node, in words: see refusal.js */
  constructor(client, onrefused) {
    this.#transport = new ClientTransport(client, onrefused);
    const requests = Ring.memory(ringBytes);
    const events = Ring.memory(ringBytes);
    this.#requests = new Ring(requests);
    this.#events = new Ring(events);
    this.link = { requests, events, port: null };
    this.transfer = [];
    // A wake-up by a message costs more than one by shared memory.
    if (!Atomics.waitAsync) {
      const { port1, port2 } = new MessageChannel();
      this.#port = port1;
      this.link.port = port2;
      this.transfer.push(port2);
      port1.onmessage = () => this.#serve();
    }
    this.#requests.setIdle();
    this.#awaitRequests();
  }

  /** The guest has ended: its sent data goes out, then all its sockets are closed. Resolves when that is done. */
  finish() {
    this.#serve();
    this.#end();
    for (const [handle, entry] of this.#channels) {
      entry.isClosing = true;
      this.#push(handle, entry);
    }
    this.#queue = [];
    return this.#transport.drained();
  }

  /** The guest was terminated: drops its sockets at once. */
  close() {
    this.#end();
    for (const { channel } of this.#channels.values()) {
      channel.handler = {};
      channel.reset();
    }
    this.#channels.clear();
    this.#queue = [];
  }

  input(bytes) {
    for (let offset = 0; offset < bytes.length; offset += mostPayload) this.#tell(Event.input, 0, bytes.subarray(offset, offset + mostPayload));
  }

  inputEnd() { this.#tell(Event.inputEnd, 0); }
  outputTaken(count) { this.#tell(Event.outputTaken, 0, encodeCount(count)); }
  abort(reason) { this.#tell(Event.abort, 0, encodeText(reason)); }
  set oninputconsumed(call) { this.#oninputconsumed = call; }

  #serve() {
    if (this.#hasEnded) return;
    // The guest makes room without waking an active reader: so check again after setting the flag.
    do {
      this.#flush();
      this.#takeRequests();
    } while (!this.#requests.setIdle() || this.#flush());
    this.#awaitRequests();
  }

  #takeRequests() {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (this.#requests.read(this.#take));
    } finally {
      this.#isTaking = false;
    }
    for (const [handle, count] of this.#passed) this.#tell(Event.writable, handle, encodeCount(count));
    this.#passed.clear();
  }

  #awaitRequests() {
    if (!this.#port) this.#requests.whenWoken(() => this.#serve());
  }

  #end() {
    this.#hasEnded = true;
    this.#port?.close();
    // So that no guest waits forever.
    this.#requests.wakeReader();
  }

  // Events wait here when the ring is full. Then the sockets pause: further events wait in the client, within its bounds.
  #tell(type, handle, ...parts) {
    if (this.#queue.length === 0 && this.#events.write(type, handle, ...parts)) return;
    if (this.#queue.push([type, handle, ...parts]) === 1) this.#pause();
  }

  #pause() {
    for (const { channel } of this.#channels.values()) if (channel) channel.paused = this.#queue.length > 0;
  }

  #flush() {
    let sent = 0;
    while (sent < this.#queue.length && this.#events.write(...this.#queue[sent])) sent++;
    if (sent === 0) return false;
    this.#queue.splice(0, sent);
    if (this.#queue.length === 0) this.#pause();
    return true;
  }

  #request(type, handle, payload) {
    switch (type) {
      case Request.connect: return this.#open(handle, "connect", payload);
      case Request.bind: return this.#open(handle, "bind", payload);
      case Request.connectUdp: return this.#open(handle, "connectUdp", payload);
      case Request.bindUdp: return this.#open(handle, "bindUdp", payload);
      case Request.resolve:
        return this.#transport.resolve(decodeText(payload), (code, addresses) => this.#tell(Event.resolved, handle, encodeJson({ code, addresses })));
      case Request.inputConsumed: return this.#oninputconsumed(decodeCount(payload));
    }
    const entry = this.#channels.get(handle);
    if (!entry) return;
    switch (type) {
      case Request.send:
        entry.waiting.push(payload);
        return this.#push(handle, entry);
      case Request.sendTo: {
        const { host, port, data } = decodePeer(payload);
        return entry.channel.sendTo(data, host, port);
      }
      case Request.consumed: return entry.channel.consumed(decodeCount(payload));
      case Request.shutdown:
        entry.isFinishing = true;
        return this.#push(handle, entry);
      case Request.close:
        entry.isClosing = true;
        return this.#push(handle, entry);
      case Request.reset:
        this.#channels.delete(handle);
        return entry.channel.reset();
    }
  }

  #open(handle, method, payload) {
    const entry = { channel: null, waiting: [], isFinishing: false, isClosing: false };
    this.#channels.set(handle, entry);
    entry.channel = this.#transport[method](decodeJson(payload), this.#handler(handle, entry));
    entry.channel.paused = this.#queue.length > 0;
  }

  #handler(handle, entry) {
    return {
      opened: (ends) => this.#tell(Event.opened, handle, encodeJson(ends)),
      data: (bytes) => {
        // The notes that the guest made without waking this thread.
        if (!this.#hasEnded) this.#takeRequests();
        for (let offset = 0; offset < bytes.length; offset += mostPayload) this.#tell(Event.data, handle, bytes.subarray(offset, offset + mostPayload));
      },
      datagram: (bytes, host, port) => this.#tell(Event.datagram, handle, encodePeer(host, port), bytes),
      accepted: (channel, ends) => {
        const accepted = this.#nextHandle++;
        const acceptedEntry = { channel, waiting: [], isFinishing: false, isClosing: false };
        this.#channels.set(accepted, acceptedEntry);
        this.#tell(Event.accepted, handle, encodeJson({ ...ends, handle: accepted }));
        channel.handler = this.#handler(accepted, acceptedEntry);
        channel.paused = this.#queue.length > 0;
      },
      writable: () => this.#push(handle, entry),
      ended: () => this.#tell(Event.ended, handle),
      failed: (code) => this.#tell(Event.failed, handle, encodeText(code)),
      closed: (code) => {
        this.#channels.delete(handle);
        this.#tell(Event.closed, handle, encodeText(code));
      },
    };
  }

  // Passes on waiting data, grants the guest that much credit, and reports the end when all is out.
  #push(handle, entry) {
    const { channel, waiting } = entry;
    if (!channel) return;
    let passed = 0;
    while (waiting.length > 0) {
      const count = channel.send(waiting[0]);
      passed += count;
      if (count < waiting[0].length) {
        waiting[0] = waiting[0].subarray(count);
        break;
      }
      waiting.shift();
    }
    if (passed > 0 && !entry.isClosing) {
      if (this.#isTaking) this.#passed.set(handle, (this.#passed.get(handle) ?? 0) + passed);
      else this.#tell(Event.writable, handle, encodeCount(passed));
    }
    if (waiting.length > 0) return;
    if (entry.isClosing) {
      this.#channels.delete(handle);
      channel.handler = {};
      channel.close();
    } else if (entry.isFinishing) {
      entry.isFinishing = false;
      channel.shutdown();
    }
  }
}

/**
 * Lends `client` to a guest that runs in a Worker under the sab strategy. Post the result's `link` there with its `transfer`;
 * call `close()` when the guest has ended.
 */
export function shareClient(client, options) {
  clientOf(client);
  const { onrefused } = optionsOf(options);
  return new GuestService(client, check("onrefused", onrefused, "function"));
}

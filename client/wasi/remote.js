// The guest's end of a transport whose client is in another thread: the same channels as transport.js, over two rings.

import { Ring, mostPayload } from "./ring.js";
import { Event, Request, decodeCount, decodeJson, decodePeer, decodeText, encodeCount, encodeJson, encodePeer, encodeText, sendWindow } from "./wire.js";

/**
 * Bytes read are noted for the other thread, this many a note, without waking it: it checks the notes when it has a message to send.
 * This many unseen bytes are worth a wake-up; fewer are if the guest found nothing more to read for this many ms.
 */
const noteStep = 8 * 1024;
const wakeStep = 64 * 1024;
const noteWait = 5;

/** A guest that requested little waits for an answer that may arrive at once; one that receives much has time to sleep. */
const smallRequests = 4 * 1024;

/** The other thread answers at once or is gone; how long to block for room before checking again, in ms. */
const roomWait = 1000;

export class RemoteTransport {
  #requests;
  #events;
  #wake;
  #channels = new Map();
  #lookups = new Map();
  #nextHandle = 1;
  #input = null;
  #reading = new Set(); // channels with bytes read and not noted
  #unseen = 0; // bytes noted since the other thread had last seen every request
  #asked = 0; // bytes of requests since the last wait
  /** Called when the other thread has taken some of the program's output. */
  output = null;
  #onabort = () => {};

  /** `link` is from shareClient() or run(): { requests, events, port }, the port only without Atomics.waitAsync. */
  constructor({ requests, events, port }) {
    this.#requests = new Ring(requests);
    this.#events = new Ring(events);
    this.#wake = port ? () => port.postMessage(0) : () => this.#requests.wakeReader();
  }

  set input(input) {
    this.#input = input;
    input.onread = (count) => this.request(Request.inputConsumed, 0, encodeCount(count));
  }

  set onabort(call) { this.#onabort = call; }

  connect(target, handler) { return this.#open(Request.connect, target, handler); }
  bind({ host, port }, handler) { return this.#open(Request.bind, { host, port }, handler); }
  connectUdp(target, handler) { return this.#open(Request.connectUdp, target, handler); }
  bindUdp(target, handler) { return this.#open(Request.bindUdp, target, handler); }

  resolve(name, done) {
    const handle = this.#nextHandle++;
    this.#lookups.set(handle, done);
    this.request(Request.resolve, handle, encodeText(name));
  }

  #open(type, target, handler) {
    const channel = new RemoteChannel(this, this.#nextHandle++, handler);
    this.#channels.set(channel.handle, channel);
    this.request(type, channel.handle, encodeJson(target));
    return channel;
  }

  /** Sends a request, blocking while the ring is full. */
  request(type, handle, ...parts) {
    this.#write(type, handle, parts);
    this.#asked += parts.reduce((sum, part) => sum + part.length, 1);
    this.#wakeIfIdle();
  }

  #write(type, handle, parts) {
    while (!this.#requests.write(type, handle, ...parts)) {
      this.#wakeIfIdle();
      this.#requests.waitForRoom(roomWait);
    }
  }

  #wakeIfIdle() {
    this.#unseen = 0;
    if (this.#requests.takeIdle()) this.#wake();
  }

  /** Notes what the guest has read of a channel. */
  note(channel) {
    if (channel.unnoted < noteStep) {
      this.#reading.add(channel);
      return;
    }
    this.#noteNow(channel);
    if (this.#unseen >= wakeStep) this.#wakeIfIdle();
  }

  #noteNow(channel) {
    if (this.#requests.isEmpty) this.#unseen = 0;
    this.#unseen += channel.unnoted;
    this.#write(Request.consumed, channel.handle, [encodeCount(channel.unnoted)]);
    channel.unnoted = 0;
    this.#reading.delete(channel);
  }

  forget(channel) {
    this.#channels.delete(channel.handle);
    this.#reading.delete(channel);
  }

  /** Dispatches messages that have arrived. */
  pump() {
    let any = false;
    while (this.#events.read((type, handle, payload) => this.#event(type, handle, payload))) any = true;
    if (any && this.#events.takeWriterWaits()) this.#wakeIfIdle();
  }

  /** Blocks until a message arrives, or `ms` passed. */
  wait(ms) {
    const isAnswerNear = this.#asked > 0 && this.#asked < smallRequests;
    this.#asked = 0;
    for (const channel of this.#reading) this.#noteNow(channel);
    if (this.#unseen > 0 && !this.#requests.isEmpty) {
      if (this.#events.waitForMessage(Math.min(ms, noteWait), isAnswerNear)) return;
      this.#wakeIfIdle();
      ms -= noteWait;
    }
    if (ms > 0) this.#events.waitForMessage(ms, isAnswerNear);
  }

  #event(type, handle, payload) {
    switch (type) {
      case Event.resolved: {
        const { code, addresses } = decodeJson(payload);
        this.#lookups.get(handle)?.(code, addresses);
        this.#lookups.delete(handle);
        return;
      }
      case Event.input: return this.#input?.push(payload);
      case Event.inputEnd: return this.#input?.end();
      case Event.outputTaken: return this.output?.taken(decodeCount(payload));
      case Event.abort: return this.#onabort(decodeText(payload));
      case Event.accepted: {
        const accepted = decodeJson(payload);
        const listener = this.#channels.get(handle);
        const channel = new RemoteChannel(this, accepted.handle, {});
        if (!listener) return channel.reset();
        this.#channels.set(channel.handle, channel);
        listener.handler.accepted?.(channel, accepted);
        return;
      }
      default: this.#channels.get(handle)?.event(type, payload);
    }
  }
}

class RemoteChannel {
  credit = sendWindow;
  /** Bytes that the guest has read and the other thread does not know about. */
  unnoted = 0;
  #transport;

  constructor(transport, handle, handler) {
    this.#transport = transport;
    this.handle = handle;
    this.handler = handler;
  }

  send(bytes) {
    const count = Math.min(bytes.length, this.credit);
    for (let offset = 0; offset < count; offset += mostPayload) {
      this.#transport.request(Request.send, this.handle, bytes.subarray(offset, Math.min(offset + mostPayload, count)));
    }
    this.credit -= count;
    return count;
  }

  sendTo(bytes, host, port) { this.#transport.request(Request.sendTo, this.handle, encodePeer(host, port), bytes); }

  consumed(count) {
    this.unnoted += count;
    this.#transport.note(this);
  }

  shutdown() { this.#transport.request(Request.shutdown, this.handle); }

  close() { this.#end(Request.close); }
  reset() { this.#end(Request.reset); }

  #end(type) {
    this.handler = {};
    this.#transport.forget(this);
    this.#transport.request(type, this.handle);
  }

  event(type, payload) {
    const { handler } = this;
    switch (type) {
      case Event.opened: return handler.opened?.(decodeJson(payload));
      case Event.data: return handler.data?.(payload);
      case Event.datagram: {
        const { host, port, data } = decodePeer(payload);
        return handler.datagram?.(data, host, port);
      }
      case Event.writable:
        this.credit += decodeCount(payload);
        return handler.writable?.();
      case Event.ended: return handler.ended?.();
      case Event.failed: return handler.failed?.(decodeText(payload));
      case Event.closed:
        this.#transport.forget(this);
        return handler.closed?.(decodeText(payload));
    }
  }
}

// A guest's thread and the client's, over shared memory: no thread sleeps through a wake-up, however threads are woken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { RemoteTransport } from "../../wasi/remote.js";
import { Ring } from "../../wasi/ring.js";
import { GuestService } from "../../wasi/service.js";
import { Request, decodeCount } from "../../wasi/wire.js";

const lookups = 3000;
const megabytes = 64;
/** A repeatable pattern: its length is a multiple of the pattern's. */
const chunk = Uint8Array.from({ length: 251 * 400 }, (_, index) => index % 251);

/** Looks names up one after the other, then reads a socket's data, blocking all the time. */
const guest = `
  const { workerData: { link, url, lookups, bytes }, parentPort } = await import("node:worker_threads");
  const { RemoteTransport } = await import(url);
  const transport = new RemoteTransport(link);
  const until = (done) => { while (!done()) { transport.wait(60_000); transport.pump(); } };
  for (let index = 0; index < lookups; index++) {
    let found = null;
    transport.resolve("name-" + index, (code, addresses) => { found = addresses; });
    until(() => found);
    if (found[0] !== "name-" + index) throw new Error(found[0]);
  }
  let received = 0, isRight = true;
  transport.connect({ host: "source.test", port: 1 }, {
    data(chunk) {
      for (let index = 0; index < chunk.length; index += 997) isRight &&= chunk[index] === (received + index) % 251;
      received += chunk.length;
    },
  });
  until(() => received >= bytes);
  parentPort.postMessage({ received, isRight });
`;

/** Answers at once, and sends without waiting for credit, so that the ring is full most of the time. */
const client = {
  resolve: async (name) => [name],
  socket(kind, host, port, listeners) {
    let sent = 0;
    setImmediate(function more() {
      sent += chunk.length;
      listeners.ondata(chunk);
      if (sent < megabytes << 20) setImmediate(more);
    });
    return { consumed() {}, close() {}, reset() {}, send: () => true };
  },
};

for (const way of ["Atomics.waitAsync", "messages"]) {
  test(`every wake-up arrives, by ${way}`, { timeout: 60_000 }, async (t) => {
    const { waitAsync } = Atomics;
    assert.equal(typeof waitAsync, "function");
    if (way === "messages") {
      delete Atomics.waitAsync;
      t.after(() => { Atomics.waitAsync = waitAsync; });
    }
    const service = new GuestService(client);
    assert.equal(service.link.port === null, way !== "messages");
    const url = new URL("../../wasi/remote.js", import.meta.url).href;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(guest)}`), {
      workerData: { link: service.link, url, lookups, bytes: megabytes << 20 }, transferList: service.transfer,
    });
    t.after(() => worker.terminate());
    const { received, isRight } = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    assert.ok(received >= megabytes << 20);
    assert.ok(isRight);
    service.close();
  });
}

/** A guest's end in this thread, and the other thread's reading part: `noted` bytes were read by the guest, `wakes` times it was woken. */
function guestEnd() {
  const [requests, events] = [Ring.memory(1 << 20), Ring.memory(1 << 20)];
  const seen = { noted: 0, wakes: 0 };
  const reader = new Ring(requests);
  seen.look = () => {
    while (reader.read((type, handle, payload) => { if (type === Request.consumed) seen.noted += decodeCount(payload); }));
    reader.setIdle();
  };
  const wake = () => {
    seen.wakes++;
    seen.look();
  };
  const transport = new RemoteTransport({ requests, events, port: { postMessage: wake } });
  const channel = transport.connect({ host: "source.test", port: 1 }, {});
  seen.look();
  return { transport, channel, seen };
}

test("reading 16 KiB at a time wakes the client's thread once in 64 KiB", () => {
  const { channel, seen } = guestEnd();
  for (let i = 0; i < 64; i++) channel.consumed(16 << 10);
  assert.deepEqual([seen.wakes, seen.noted], [16, 1 << 20]);
});

test("a client's thread that looks by itself is not woken by what the guest reads", () => {
  const { channel, seen } = guestEnd();
  for (let i = 0; i < 64; i++) {
    channel.consumed(16 << 10);
    seen.look();
  }
  assert.deepEqual([seen.wakes, seen.noted], [0, 1 << 20]);
});

test("a guest that has nothing more to read tells of the last bytes that it read, soon", () => {
  const { transport, channel, seen } = guestEnd();
  channel.consumed(100);
  channel.consumed(1);
  assert.equal(seen.noted, 0);
  transport.wait(20);
  assert.deepEqual([seen.wakes, seen.noted], [1, 101]);
});

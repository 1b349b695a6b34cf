// A guest's thread and the client's, over shared memory: nobody sleeps through a wake-up, whichever way threads are woken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { GuestService } from "../../wasi/service.js";

const lookups = 3000;
const megabytes = 64;
/** What follows itself: its length is a multiple of the pattern's. */
const chunk = Uint8Array.from({ length: 251 * 400 }, (_, index) => index % 251);

/** Looks names up one after the other, then takes what a socket sends, blocking all the time. */
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

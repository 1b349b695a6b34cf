// Credit, and the queue of waiting data.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkQueue } from "../lib/chunks.js";
import { ReceiveWindow } from "../lib/flow.js";

const KIB = 1024;
const MIB = 1024 * KIB;

test("credit is granted as the program reads, half of the window at once", () => {
  const link = { _rtt: undefined, _windowGrowth: 0 };
  const window = new ReceiveWindow(256 * KIB);
  window._received(150 * KIB);
  assert.equal(window.consumed(127 * KIB, link, 0), 0);
  assert.equal(window.consumed(1 * KIB, link, 0), 128 * KIB);
});

test("near the node a window that is read within milliseconds grows, so that grants are seldom", () => {
  for (const rtt of [undefined, 0.2]) {
    const link = { _rtt: rtt, _windowGrowth: 0 };
    const window = new ReceiveWindow(256 * KIB);
    let grants = 0;
    for (let now = 1; now <= 1024; now++) {
      window._received(64 * KIB);
      if (window.consumed(64 * KIB, link, now)) grants++;
    }
    assert.ok(grants < 1024 / 7, `${grants} grants`);
    assert.equal(link._windowGrowth, 768 * KIB);
    const slow = new ReceiveWindow(256 * KIB);
    for (let now = 11; now <= 1100; now += 11) {
      slow._received(256 * KIB);
      slow.consumed(256 * KIB, link, now);
    }
    assert.equal(link._windowGrowth, 768 * KIB);
  }
});

test("near a node that sends faster it grows further, to what is read within milliseconds", () => {
  const link = { _rtt: 0.2, _windowGrowth: 0 };
  const window = new ReceiveWindow(256 * KIB);
  let grants = 0;
  for (let now = 1; now <= 128; now++) {
    window._received(256 * KIB);
    if (window.consumed(256 * KIB, link, now)) grants++;
  }
  assert.equal(link._windowGrowth, (4 - 0.25) * MIB);
  assert.ok(grants < 128 / 6, `${grants} grants`);
});

test("a node that is nearly out of credit gets what there is", () => {
  const link = { _rtt: undefined, _windowGrowth: 0 };
  const window = new ReceiveWindow(256 * KIB);
  window._received(250 * KIB);
  assert.equal(window.consumed(10, link, 0), 10);
});

test("what is granted never exceeds what was consumed while the window does not grow", () => {
  const link = { _rtt: 0.2, _windowGrowth: 0 };
  const window = new ReceiveWindow(64 * KIB);
  let [received, consumed, granted, random] = [0, 0, 0, 7];
  for (let i = 0; i < 5000; i++) {
    random = (random * 1103515245 + 12345) % 2147483648;
    const may = 64 * KIB + granted - received;
    const count = Math.min(may, random % 9000);
    received += count;
    window._received(count);
    const read = Math.min(received - consumed, random % 7000);
    consumed += read;
    granted += window.consumed(read, link, i);
    assert.ok(granted <= consumed);
    assert.ok(received - consumed <= 64 * KIB);
  }
  assert.ok(consumed > 10 * 64 * KIB, "and it does not stop");
});

test("over a long path the window grows to its bounds, and gives its growth back", () => {
  const link = { _rtt: 100, _windowGrowth: 0 };
  const windows = Array.from({ length: 6 }, () => new ReceiveWindow(256 * KIB));
  const outstanding = windows.map(() => 256 * KIB);
  for (let now = 0; now < 5000; now += 100) {
    windows.forEach((window, i) => {
      const count = outstanding[i];
      window._received(count);
      outstanding[i] = window.consumed(count, link, now);
    });
  }
  for (const credit of outstanding) assert.ok(credit <= 16 * MIB);
  assert.equal(outstanding[0], 16 * MIB);
  assert.ok(link._windowGrowth <= 64 * MIB);
  for (const window of windows) window._release(link);
  assert.equal(link._windowGrowth, 0);
});

test("a slow reader's window stays as it was", () => {
  const link = { _rtt: 100, _windowGrowth: 0 };
  const window = new ReceiveWindow(256 * KIB);
  for (let now = 0; now < 10000; now += 1000) {
    window._received(256 * KIB);
    window.consumed(256 * KIB, link, now);
  }
  assert.equal(link._windowGrowth, 0);
});

test("the queue gives back what it was given, in order, in few pieces", () => {
  let random = 42;
  const roll = (most) => (random = (random * 1103515245 + 12345) % 2147483648) % most;
  const queue = new ChunkQueue();
  const [given, taken] = [[], []];
  for (let i = 0; i < 3000; i++) {
    if (roll(3) > 0) {
      const chunk = Uint8Array.from({ length: 1 + roll(roll(4) ? 50 : 9000) }, () => roll(256));
      given.push(...chunk);
      queue.push(chunk);
    } else if (queue.size) {
      const chunk = queue.shift();
      if (roll(4) === 0 && chunk.length > 1) {
        taken.push(...chunk.subarray(0, 1));
        queue.unshift(chunk.subarray(1));
      } else {
        taken.push(...chunk);
      }
    }
    assert.equal(queue.size, given.length - taken.length);
  }
  while (queue.size) taken.push(...queue.shift());
  assert.deepEqual(taken, given);
});

test("a million single bytes that wait are kept in pieces of 16 KiB", () => {
  const queue = new ChunkQueue();
  for (let i = 0; i < 1000000; i++) queue.push(Uint8Array.of(i));
  let pieces = 0;
  while (queue.size) {
    queue.shift();
    pieces++;
  }
  assert.ok(pieces < 70, `${pieces} pieces`);
});

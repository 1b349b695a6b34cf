// poll_oneoff: clocks and sockets in one wait, decoded once and checked again after each change.

import { Errno } from "./errno.js";
import { AGAIN } from "./table.js";

const subscriptionSize = 48;
const eventSize = 32;
const tagClock = 0;
const tagRead = 1;
const clockAbsolute = 1;

/** Flags of an event. The first is WASI's; guests/libc's poll() reads the others, since wasi-libc's clears POLLOUT if it sees the first. */
const hangup = 1;
const failed = 2; // POLLERR
const over = 4; // POLLHUP
const only = 8; // only for that: neither POLLIN nor POLLOUT
const ended = 16; // POLLRDHUP

/** A call with more subscriptions than this is refused with EINVAL. */
const maxSubscriptions = 65536;

/** Reads the subscriptions. Returns { items, deadline } with the deadline in ms of `clock.monotonic`, Infinity for none; or a negated errno. */
export function readSubscriptions(memory, pointer, count, clock) {
  count >>>= 0;
  if (count === 0 || count > maxSubscriptions) return -Errno.INVAL;
  const items = [];
  let deadline = Infinity;
  for (let i = 0; i < count; i++) {
    const at = pointer + i * subscriptionSize;
    const item = { userdata: memory.u64(at), tag: memory.u8(at + 8), fd: 0, due: Infinity, error: 0 };
    if (item.tag === tagClock) {
      item.error = readClock(memory, at, item, clock);
      if (item.error) deadline = -Infinity;
      else deadline = Math.min(deadline, item.due);
    } else if (item.tag <= 2) {
      item.fd = memory.u32(at + 16);
    } else {
      return -Errno.INVAL;
    }
    items.push(item);
  }
  return { items, deadline };
}

function readClock(memory, at, item, clock) {
  const id = memory.u32(at + 16);
  const timeout = Number(memory.u64(at + 24)) / 1e6;
  const absolute = (memory.u16(at + 40) & clockAbsolute) !== 0;
  if (id > 3) return Errno.INVAL;
  if (!absolute) item.due = clock.monotonic() + timeout;
  else item.due = id === 0 ? clock.monotonic() + (timeout - clock.realtime()) : timeout;
  return 0;
}

/**
 * Writes the events that are ready now and returns their count, or AGAIN if there are none. `readiness(fd, forReading)`
 * returns { ready, bytes, hangup, error?, failed?, over?, only?, hasEnded? } or undefined for an unknown descriptor.
 */
export function writeEvents(memory, pointer, items, clock, readiness) {
  let count = 0;
  const now = clock.monotonic();
  for (const item of items) {
    let state;
    if (item.tag === tagClock) {
      if (!item.error && item.due > now) continue;
      state = { bytes: 0, hangup: false, error: item.error };
    } else {
      state = readiness(item.fd, item.tag === tagRead) ?? { ready: true, bytes: 0, hangup: false, error: Errno.BADF };
      if (!state.ready) continue;
    }
    const at = pointer + count * eventSize;
    memory.fill(at, eventSize);
    memory.setU64(at, item.userdata);
    memory.setU16(at + 8, state.error ?? 0);
    memory.setU8(at + 10, item.tag);
    if (item.tag !== tagClock) {
      memory.setU64(at + 16, state.bytes);
      const flags = (state.hangup ? hangup : 0) | (state.failed ? failed : 0) | (state.over ? over : 0) | (state.only ? only : 0) | (state.hasEnded ? ended : 0);
      memory.setU16(at + 24, flags);
    }
    count++;
  }
  return count > 0 ? count : AGAIN;
}

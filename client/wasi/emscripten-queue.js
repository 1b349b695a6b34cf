// SOCKFS stores a socket's messages in its own array and does not report when the program has read them. The array is found when it
// receives the first message, and from then on reports removals: otherwise a program that does not read would fill the page's memory.

/**
 * Calls `deliver`, which passes SOCKFS one message of `length` bytes.
 *
 * @param onread called with the number of bytes that the program has read since, but not during a read
 * @returns the queue, or null if it was not found: a SOCKFS that works differently, or in another realm
 */
export function receiveQueueOf(length, deliver, onread) {
  const queue = arrayThatTakes(length, deliver);
  if (queue) tellReads(queue, onread);
  return queue;
}

// No other code runs while Array's push is replaced: `deliver` is synchronous.
function arrayThatTakes(length, deliver) {
  const { push } = Array.prototype;
  let found = null;
  const watch = function (...items) {
    if (items.length === 1 && bytesIn(items[0]) === length) found ??= this;
    return push.apply(this, items);
  };
  if (!Reflect.set(Array.prototype, "push", watch)) deliver();
  else {
    try {
      deliver();
    } finally {
      Array.prototype.push = push;
    }
  }
  return found;
}

/** The name of the one typed array in an entry, which the compiler chooses. */
function dataOf(entry) {
  if (typeof entry !== "object" || entry === null) return undefined;
  return Object.keys(entry).find((name) => ArrayBuffer.isView(entry[name]));
}

function bytesIn(entry) {
  const name = dataOf(entry);
  return name === undefined ? 0 : entry[name].byteLength;
}

/** As in queue.js: entries of unread small messages are gathered into entries of this size. */
const gathered = 16 * 1024;
const small = 4 * 1024;
const gathering = new WeakSet(); // the buffers that have room behind their entry's bytes

/** Moves a stream's last message into the entry before it, if both are small: SOCKFS was told about it, and reads any number of bytes. */
export function gatherLast(queue) {
  if (queue.length < 2) return;
  const [before, last] = queue.slice(-2);
  const name = dataOf(last);
  if (!name || !ArrayBuffer.isView(before[name]) || last[name].length > small) return;
  const { buffer, byteOffset, length } = before[name];
  const bytes = last[name];
  if (gathering.has(buffer) && byteOffset + length + bytes.length <= gathered) {
    new Uint8Array(buffer).set(bytes, byteOffset + length);
    before[name] = new Uint8Array(buffer, byteOffset, length + bytes.length);
    queue.length--;
  } else {
    const room = new ArrayBuffer(gathered);
    gathering.add(room);
    new Uint8Array(room).set(bytes);
    last[name] = new Uint8Array(room, 0, bytes.length);
  }
}

function tellReads(queue, onread) {
  const { shift, unshift } = Array.prototype;
  let count = 0;
  let isNoted = false;
  // A read removes a whole entry and puts the rest back: the amount read is known afterwards.
  const note = (bytes) => {
    if (!isNoted) queueMicrotask(() => {
      const read = count;
      count = 0;
      isNoted = false;
      onread(read);
    });
    isNoted = true;
    count += bytes;
  };
  Object.defineProperties(queue, {
    shift: {
      value() {
        const entry = shift.call(this);
        if (entry !== undefined) note(bytesIn(entry));
        return entry;
      },
    },
    unshift: {
      value(...entries) {
        for (const entry of entries) note(-bytesIn(entry));
        return unshift.apply(this, entries);
      },
    },
  });
}

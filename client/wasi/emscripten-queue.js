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

/** Bytes of the one typed array in an entry; the compiler chooses its name. */
function bytesIn(entry) {
  if (typeof entry !== "object" || entry === null) return 0;
  return Object.values(entry).find((value) => ArrayBuffer.isView(value))?.byteLength ?? 0;
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

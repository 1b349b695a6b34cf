// SOCKFS puts what comes for a socket into an array of its own and does not say when the program has read it. The array is found as it
// takes the first message, and from then on tells what leaves it: without that, a program that does not read would fill the page's memory.

/**
 * Calls `deliver`, which hands SOCKFS one message of `length` bytes.
 *
 * @param onread called with the number of bytes that the program has read since, not while it is in a read
 * @returns the queue, or null where it was not seen: a SOCKFS that works otherwise, or in another realm
 */
export function receiveQueueOf(length, deliver, onread) {
  const queue = arrayThatTakes(length, deliver);
  if (queue) tellReads(queue, onread);
  return queue;
}

// Nothing but `deliver` runs while Array's push is replaced: it is synchronous.
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

/** Bytes of the one typed array in an entry; its name is the compiler's to choose. */
function bytesIn(entry) {
  if (typeof entry !== "object" || entry === null) return 0;
  return Object.values(entry).find((value) => ArrayBuffer.isView(value))?.byteLength ?? 0;
}

function tellReads(queue, onread) {
  const { shift, unshift } = Array.prototype;
  let count = 0;
  let isNoted = false;
  // A read takes a whole entry out and puts the rest back: what it took is known when it is over.
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

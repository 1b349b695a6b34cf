// What a page or Worker hears of its network and of its own life: it tells more, and sooner, than silence on a WebSocket.

/**
 * @param {(isAside: boolean) => void} changed the page was put aside by going elsewhere, and may come back; or it is here, and its network or its
 *   sleep may have changed everything
 * @returns a function that ends it
 */
export function onPageLife(changed) {
  const life = new AbortController();
  // `resume` is the document's; of the pages that go only those that may come back count.
  for (const target of [globalThis, globalThis.document]) {
    for (const type of ["offline", "online", "resume", "pagehide", "pageshow"]) {
      target?.addEventListener?.(type, ({ persisted }) => persisted !== false && changed(type === "pagehide"), { signal: life.signal });
    }
  }
  return () => life.abort();
}

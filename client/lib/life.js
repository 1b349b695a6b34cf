// What a page or Worker hears of its network and of its own life: it tells more, and sooner, than silence on a WebSocket.

/**
 * @param {(isAside: boolean) => void} changed the page was put aside by going elsewhere, and may come back; or it is here, and its network or its
 *   sleep may have changed everything
 * @returns {AbortController} whose abort ends it
 */
export function onPageLife(changed) {
  const life = new AbortController();
  // Before they come to their target: `resume` is the document's, and does not rise from it. Of the pages that go only those that may come back count.
  for (const type of ["offline", "online", "resume", "pagehide", "pageshow"]) {
    globalThis.addEventListener?.(type, ({ persisted }) => persisted !== false && changed(type === "pagehide"), { signal: life.signal, capture: true });
  }
  return life;
}

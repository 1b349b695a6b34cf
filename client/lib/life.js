// Network and lifecycle events of a page or Worker: they report more, and sooner, than silence on a WebSocket.

/**
 * @param {(isAside: boolean) => void} changed the page entered the back/forward cache, and may return; or it is active, and its network
 *   may have changed or it may have slept
 * @returns {AbortController} its abort removes the listeners
 */
export function onPageLife(changed) {
  const life = new AbortController();
  // In the capture phase: `resume` is dispatched on the document and does not bubble. Of unloading pages only those that may return count.
  for (const type of ["offline", "online", "resume", "pagehide", "pageshow"]) {
    globalThis.addEventListener?.(type, ({ persisted }) => persisted !== false && changed(type === "pagehide"), { signal: life.signal, capture: true });
  }
  return life;
}

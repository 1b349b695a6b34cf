// What a page or Worker hears of its network and of its own life: it tells more, and sooner, than silence on a WebSocket.

/**
 * @param {() => void} changed the network, or the page's sleep, may have changed everything
 * @param {(isAside: boolean) => void} aside the page was put aside by going elsewhere, and may come back; or it is back
 * @returns a function that ends it
 */
export function onPageLife(changed, aside) {
  const life = new AbortController();
  const on = (target, type, listener) => target?.addEventListener?.(type, listener, { signal: life.signal });
  for (const type of ["offline", "online"]) on(globalThis, type, changed);
  on(globalThis.document, "resume", changed);
  for (const type of ["pagehide", "pageshow"]) on(globalThis, type, ({ persisted }) => persisted && aside(type === "pagehide"));
  return () => life.abort();
}

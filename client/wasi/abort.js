// An aborted signal ends a wait at once, whatever is waited for.

/** What `promise` becomes, or the rejection with the signal's reason if that aborts first. */
export function unlessAborted(signal, promise) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.finally(() => signal.removeEventListener("abort", abort))
      // What the signal ended first may describe that in its own words.
      .then(resolve, (error) => reject(signal.aborted ? signal.reason : error));
  });
}

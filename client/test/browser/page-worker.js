// In a Worker under test: answers `inWorker` of page.js.

/** @param {(message) => any} work its value is sent to the page */
export function answer(work) {
  onmessage = async ({ data }) => {
    try {
      postMessage({ value: await work(data) });
    } catch (error) {
      postMessage({ error: `${error?.name}: ${error?.message}\n${error?.stack}` });
    }
  };
}

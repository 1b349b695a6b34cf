// In a page under test: does its work with the run's parameters and posts the result to the harness.

const query = new URLSearchParams(location.search);

export const params = JSON.parse(query.get("params") ?? "{}");

function words(error) {
  return `${error?.name ?? typeof error}: ${error?.message ?? error}\n${error?.stack ?? ""}`;
}

async function post(result) {
  await fetch(`/result/${query.get("run")}`, { method: "POST", body: JSON.stringify(result) });
}

/** Reports progress; the last report is shown if a run does not end in time. */
export function step(words) {
  return post({ step: words });
}

/** @param {(params) => any} work its value is sent to the test, as JSON */
export async function report(work) {
  addEventListener("error", (event) => post({ error: words(event.error ?? event.message) }));
  addEventListener("unhandledrejection", (event) => post({ error: words(event.reason) }));
  try {
    await post({ value: (await work(params)) ?? null });
  } catch (error) {
    await post({ error: words(error) });
  }
}

/** Runs a module Worker whose work is given to `answer` of page-worker.js; for `report(() => inWorker(url))`. */
export function inWorker(url, message = params) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message || `${url} cannot be loaded`));
    worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data.value) : reject(new Error(data.error)));
    worker.postMessage(message);
  });
}

// Requests to the node's admin API, and their token.

const place = 'wasmnet-admin-token';
// If the browser has no storage, the token is kept as long as the page.
let token = null;
try {
  token = sessionStorage.getItem(place);
} catch {
  token = null;
}

/** Dispatches `unauthorized` (detail: the error) and `token`. */
export const gate = new EventTarget();

export const hasToken = () => token !== null;

/** Keeps the token for this tab; null forgets it. */
export function setToken(value) {
  token = value;
  try {
    if (value === null) sessionStorage.removeItem(place);
    else sessionStorage.setItem(place, value);
  } catch {
    // Kept in memory only.
  }
  gate.dispatchEvent(new Event('token'));
}

export class APIError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The header fields of a request. */
export const headers = () => (token === null ? {} : { Authorization: `Bearer ${token}` });

/** The error for an answer other than 2xx; notifies the gate of a 401. - sent: the fields of the request. */
export async function refusal(answer, sent) {
  let error = new APIError(answer.status, 'unknown', `The node answered with status ${answer.status}.`);
  try {
    const body = await answer.json();
    if (typeof body?.error?.message === 'string') error = new APIError(answer.status, String(body.error.code), body.error.message);
  } catch {
    // Not from the node, for example from a proxy in front of it.
  }
  // A 401 for an earlier token is outdated.
  if (answer.status === 401 && sent.Authorization === headers().Authorization) {
    gate.dispatchEvent(new CustomEvent('unauthorized', { detail: error }));
  }
  return error;
}

/**
 * Calls an operation. Throws an APIError if the node refuses or cannot be reached within 15 seconds.
 * - query: names and values; empty or undefined ones are left out.
 * - accepts: statuses beside 2xx whose body is returned.
 */
export async function call(method, path, { query = {}, body, accepts = [] } = {}) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''));
  const address = parameters.size > 0 ? `${path}?${parameters}` : path;
  const fields = headers();
  if (body !== undefined) fields['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(address, {
      method, headers: fields, cache: 'no-store', credentials: 'omit', redirect: 'error',
      body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(15_000),
    });
  } catch (error) {
    const isLate = error?.name === 'TimeoutError';
    if (isLate) throw new APIError(0, 'timeout', 'The node did not answer in time.');
    throw new APIError(0, 'unreachable', 'The node cannot be reached.');
  }
  if (!answer.ok && !accepts.includes(answer.status)) throw await refusal(answer, fields);
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch {
    throw new APIError(answer.status, 'bad_answer', 'The answer cannot be read.');
  }
}

/** A path with names of any characters, except `.` and `..`, which a browser would treat as path segments. */
export function path(prefix, ...names) {
  if (names.some((name) => ['', '.', '..'].includes(name))) throw new APIError(0, 'bad_name', 'There is nothing of that name.');
  return [prefix, ...names.map(encodeURIComponent)].join('/');
}

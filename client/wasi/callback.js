// A page's callbacks: what one throws, or rejects with, is reported as an uncaught exception is, and the program goes on.

import { call } from "../lib/errors.js";

/** Calls it. If it returns a promise, this returns one that settles with it and never rejects. */
export function callBack(callback, ...values) {
  let settled;
  call(() => {
    const answer = callback?.(...values);
    if (typeof answer?.then === "function") settled = Promise.resolve(answer).then(undefined, (error) => call(() => { throw error; }));
  });
  return settled;
}

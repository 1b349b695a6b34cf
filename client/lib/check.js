// A program's values are checked when they are passed: the error names the value, what it can be, and what it was.

import { WasmnetError } from "./errors.js";

const kindOf = (value) => (Array.isArray(value) ? "array" : typeof value);
const shownOf = (value) => (typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : Object(value) === value ? kindOf(value) : String(value));

/** Whether a value matches a rule: one of `check`'s, or the maximum length of a string. */
const fits = (value, rule) => (rule[1] > 0 ? Number.isInteger(value) && value >= rule[0] && value <= rule[1]
  : rule.join ? rule.includes(value)
    : rule.test || rule >= 0 ? typeof value === "string" && (rule.test?.(value) ?? value.length <= rule)
      : kindOf(value) === rule ? value !== null : rule !== "object" && value == null);

/**
 * @param rule the minimum and maximum of a whole number, the allowed words, a pattern for a string or its maximum length, or a result of
 *   `typeof`: "object", or "any" for anything or nothing
 * @returns the value
 */
export function check(name, value, rule, words, shown) {
  if (fits(value, rule)) return value;
  words ??= rule[1] > 0 ? `a whole number from ${rule.join(" to ")}` : rule.join?.(" or ") ?? `a ${rule >= 0 ? "string up to " : ""}${rule}`;
  throw new WasmnetError("invalid_argument", `${name} must be ${words}, not ${shown ?? shownOf(value)}`);
}

/** A time for a timer. */
export const msOf = (value, name = "openTimeoutMs") => check(name, value, [1, 2 ** 31 - 1]);

/** Values of which only the type is shown, because they could be a token. */
export const optionsOf = (options = {}, name = "options", words = "an object") => check(name, options, "object", words, kindOf(options));

/** By tag, not by class: an object from another frame has another class. */
export const tagOf = (value) => ({}).toString.call(value);

export function signalOf(signal) {
  // Or a TaskSignal, which is one too.
  if (signal != null) check("signal", tagOf(signal), /Signal]$/, "an AbortSignal");
  return signal;
}

/** Text without a scheme, port, path or zone, or letters of IPv6 with two colons or more. */
const HOST = /^([^\s:/?#@%\\[\]]{1,254}|\[?[\da-f.]*(:[\da-f.]*){2,}\]?)$/i;

export const hostOf = (host) => check("the host", host, HOST, "a name or an IP address, without scheme, port or path");
export const portOf = (port, least = 1) => check("the port", port, [least, 65535]);

/** Splits `{hostname, port}`, or "host:port" with brackets around IPv6. */
export function target(of) {
  if (Object(of) === of) return [of.hostname, of.port];
  check("the target", of, /^(\[.*\]|[^:]*):\d{1,5}$/, '{hostname, port} or "host:port"');
  const at = of.lastIndexOf(":");
  return [of.slice(0, at), Number(of.slice(at + 1))];
}

/** A URL as an error may show it: the omitted parts could contain a token. */
export const publicUrl = (url) => String(url).replace(/\/\/[^/?#]*@/, "//").replace(/([?#]).*/s, "$1…");

export function urlOf(url) {
  let shown = typeof url;
  try {
    shown = publicUrl(url);
    // "localhost:9300" is also a URL, with the scheme "localhost".
    if (/^wss?:\/\/[^/?#][^#]*$/i.test(url) && new URL(url)) return String(url);
  } catch {
    // Not a URL.
  }
  return check("the url", 0, "", "absolute, with ws:// or wss://, without a fragment", shown);
}

/** A token, which no error shows: an error describes it by its type, else by its length, else not at all. */
export const tokenOf = (token) => check("a token", token, /^[!-~]{1,8192}$/, "1 to 8192 visible ASCII characters",
  typeof token !== "string" ? typeof token : /^.{1,8192}$/s.test(token) ? "others" : token.length);

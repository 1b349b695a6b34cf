// Text, bytes and base64.

import { check, tagOf } from "./check.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const utf8 = (text) => encoder.encode(text);
export const text = (bytes) => decoder.decode(bytes);

/** The data that a program sends, as bytes; strings are UTF-8. Copies only if necessary. */
export function toBytes(data) {
  if (typeof data === "string") return utf8(data);
  let kind = tagOf(data);
  try {
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (/ArrayBuffer]$/.test(kind)) return new Uint8Array(data);
  } catch {
    kind = "detached";
  }
  return check("data", 0, "", "a string, an ArrayBuffer or a view of one", kind);
}

/** A string with one character a byte, as `atob` returns. */
export function latin1(string) {
  const bytes = new Uint8Array(string.length);
  for (let i = 0; i < string.length; i++) bytes[i] = string.charCodeAt(i);
  return bytes;
}

export function toBase64(bytes) {
  let string = "";
  // The number of arguments of a call is limited.
  for (let i = 0; i < bytes.length; i += 8192) string += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  return btoa(string);
}

export function fromBase64(base64) {
  // atob decodes any string; this throws if it is not base64.
  return latin1(atob(base64.trim()));
}

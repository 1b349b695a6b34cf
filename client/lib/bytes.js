// Text, bytes and base64.

import { check } from "./check.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const utf8 = (text) => encoder.encode(text);
export const text = (bytes) => decoder.decode(bytes);

/** What a program hands over to be sent, as bytes; strings are UTF-8. No copy where none is needed. */
export function toBytes(data) {
  if (typeof data === "string") return utf8(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // By what it is: that of another frame is of another class.
  check("data", ({}).toString.call(data), /ArrayBuffer\]$/, "a string, an ArrayBuffer or a view of one");
  return new Uint8Array(data);
}

/** A string with one character a byte, as `atob` makes them. */
export function latin1(string) {
  const bytes = new Uint8Array(string.length);
  for (let i = 0; i < string.length; i++) bytes[i] = string.charCodeAt(i);
  return bytes;
}

export function toBase64(bytes) {
  let string = "";
  // The arguments of one call are limited.
  for (let i = 0; i < bytes.length; i += 8192) string += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  return btoa(string);
}

export function fromBase64(base64) {
  // atob makes a string of anything; this throws where it is none.
  return latin1(atob(base64.trim()));
}

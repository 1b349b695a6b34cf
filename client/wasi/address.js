// IP addresses: text as in the protocol, bytes as in guests.

/** Address families, as WASI numbers them. */
export const Family = Object.freeze({ UNSPEC: 0, INET4: 1, INET6: 2, UNIX: 3 });

/** Text of 4 or 16 address bytes. */
export function formatAddress(bytes) {
  if (bytes.length === 4) return bytes.join(".");
  const groups = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i] << 8) | bytes[i + 1]);
  return compress(groups);
}

// RFC 5952: the longest run of two or more zero groups becomes "::".
function compress(groups) {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { start: i, length };
    if (length > 0) i += length - 1;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}

/** The 4 or 16 bytes of an IP literal (IPv6 with or without brackets), or null if `text` is not one. */
export function parseAddress(text) {
  if (text.startsWith("[") && text.endsWith("]")) text = text.slice(1, -1);
  return text.includes(":") ? parse6(text) : parse4(text);
}

function parse4(text) {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return null;
  return Uint8Array.from(parts, Number);
}

function parse6(text) {
  const zone = text.indexOf("%");
  if (zone >= 0) text = text.slice(0, zone);
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const sides = halves.map((half) => groupsOf(half));
  if (sides.some((side) => side === null)) return null;
  const count = sides.reduce((sum, side) => sum + side.length, 0);
  if (halves.length === 1 ? count !== 8 : count > 7) return null;
  const groups = halves.length === 1 ? sides[0] : [...sides[0], ...new Array(8 - count).fill(0), ...sides[1]];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

function groupsOf(half) {
  if (half === "") return [];
  const parts = half.split(":");
  const groups = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const bytes = index === parts.length - 1 ? parse4(part) : null;
      if (bytes === null) return null;
      groups.push((bytes[0] << 8) | bytes[1], (bytes[2] << 8) | bytes[3]);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** The 4 bytes that an IPv4-mapped IPv6 address stands for; any other address as it is. Two addresses are compared in this form. */
export function unmapped(bytes) {
  return bytes.length === 16 && bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0) ? bytes.slice(12) : bytes;
}

/** An address as a socket of `family` reports it: an IPv6 socket has no IPv4 addresses, only mapped ones. */
export function asFamily(bytes, family) {
  return family === Family.INET6 && bytes.length === 4 ? Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytes) : bytes;
}

export const isSameAddress = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);

/** The 4 bytes of what inet_aton reads: one to four numbers, decimal, octal or hexadecimal, the last of which fills the rest; or null. */
export function parseLoose4(text) {
  const parts = text.split(".");
  const numbers = parts.map((part) => (/^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(part) ? Number(/^0\d/.test(part) ? `0o${part}` : part) : NaN));
  const last = numbers.pop();
  if (numbers.length > 3 || !(last < 256 ** (4 - numbers.length)) || !numbers.every((number) => number < 256)) return null;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, last);
  bytes.set(numbers);
  return bytes;
}

/** "ip:port" or "[ip]:port" as { bytes, port }, for a socket of `family`; an unspecified address if it cannot be read. */
export function parseEndpoint(text, family = Family.INET4) {
  const colon = text ? text.lastIndexOf(":") : -1;
  const bytes = colon < 0 ? null : parseAddress(text.slice(0, colon));
  return { bytes: bytes ? asFamily(bytes, family) : new Uint8Array(family === Family.INET6 ? 16 : 4), port: colon < 0 ? 0 : Number(text.slice(colon + 1)) || 0 };
}

/** An address without bytes belongs to a local socket. */
export const familyOf = (bytes) => (bytes.length === 16 ? Family.INET6 : bytes.length === 4 ? Family.INET4 : Family.UNIX);

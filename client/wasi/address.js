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

/** "ip:port" or "[ip]:port" as { bytes, port }; an unspecified address if it cannot be read. */
export function parseEndpoint(text, family = Family.INET4) {
  const colon = text ? text.lastIndexOf(":") : -1;
  const bytes = colon < 0 ? null : parseAddress(text.slice(0, colon));
  return { bytes: bytes ?? new Uint8Array(family === Family.INET6 ? 16 : 4), port: colon < 0 ? 0 : Number(text.slice(colon + 1)) || 0 };
}

/** An address without bytes belongs to a local socket. */
export const familyOf = (bytes) => (bytes.length === 16 ? Family.INET6 : bytes.length === 4 ? Family.INET4 : Family.UNIX);

// sock_getaddrinfo: names are resolved by the node, so that the policy's rules for names know which addresses belong to a name.

import { Errno, lookupErrnoOf } from "./errno.js";
import { Family, familyOf, parseAddress } from "./address.js";
import { servicePort } from "./services.js";
import { AGAIN } from "./table.js";

const numericHost = 4; // AI_NUMERICHOST
const passive = 1; // AI_PASSIVE

/** A list item's fields, in bytes: flags 0 (u16), family 2, type 3, protocol 4, address length 8, address 12, name 16, its length 20, next 24. */
const itemSize = 28;

export function lookup(core, nodePointer, nodeLength, servicePointer, serviceLength, hintsPointer, listPointer, most, countPointer) {
  const { memory, table, transport } = core;
  const name = untilNul(memory.text(nodePointer, nodeLength));
  const service = untilNul(memory.text(servicePointer, serviceLength));
  const hints = { flags: memory.u16(hintsPointer), family: memory.u8(hintsPointer + 2), type: memory.u8(hintsPointer + 3), protocol: memory.u8(hintsPointer + 4) };
  most >>>= 0;
  if (name === "" && service === "") return Errno.AI_NONAME;
  if (most === 0) return Errno.AI_MEMORY;
  if (hints.family > Family.INET6) return Errno.AI_FAMILY;
  if (hints.type > 2) return Errno.AI_SOCKTYPE;
  const port = service === "" ? 0 : /^\d{1,5}$/.test(service) ? Number(service) : portOf(service, hints.type);
  if (port < 0 || port > 65535) return Errno.AI_SERVICE;

  let found = null; // an array of address bytes, or a negated errno
  const start = () => {
    if (name === "") {
      const any = (hints.flags & passive) !== 0;
      found = [Uint8Array.of(any ? 0 : 127, 0, 0, any ? 0 : 1)];
      if (hints.family === Family.INET6) found = [Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, any ? 0 : 1)];
      return;
    }
    const literal = parseAddress(name);
    if (literal) {
      found = [literal];
      return;
    }
    if (hints.flags & numericHost) {
      found = -Errno.AI_NONAME;
      return;
    }
    transport.resolve(name, (code, addresses) => {
      found = addresses ? addresses.map(parseAddress).filter(Boolean) : -lookupErrnoOf(code);
      table.changed();
    });
  };

  let started = false;
  return core.run(() => {
    if (!started) {
      started = true;
      start();
    }
    if (found === null) return AGAIN;
    if (typeof found === "number") return found;
    const wanted = found.filter((bytes) => hints.family === Family.UNSPEC || hints.family === familyOf(bytes));
    if (wanted.length === 0) return -Errno.AI_NONAME;
    // IPv4 first: most nodes serve a guest that stops at the first address best this way.
    wanted.sort((a, b) => a.length - b.length);
    memory.setU32(countPointer, store(memory, memory.u32(listPointer), most, wanted, port, hints));
    return 0;
  });
}

// If no type is requested, a result is a stream's, except for a service without one.
function portOf(service, type) {
  const asDatagram = () => servicePort(service, "udp") ?? -1;
  return type === 1 ? asDatagram() : servicePort(service, "tcp") ?? (type === 0 ? asDatagram() : -1);
}

// Fills the guest's prepared list. An address that is too large for its buffer is left out.
function store(memory, item, most, addresses, port, hints) {
  let count = 0;
  for (const bytes of addresses) {
    if (count === most || item === 0) break;
    const address = memory.u32(item + 12);
    const room = memory.u32(address + 4);
    const data = memory.u32(address + 8);
    // As in a native sockaddr_in6, four bytes of flow information precede an IPv6 address.
    const offset = bytes.length === 16 ? 6 : 2;
    if (room < offset + bytes.length) continue;
    memory.bytes(item, itemSize);
    memory.fill(data, room);
    memory.bytes(data, 2).set([port >> 8, port & 255]);
    memory.bytes(data + offset, bytes.length).set(bytes);
    memory.setU8(address, familyOf(bytes));
    memory.setU32(address + 4, bytes.length === 16 ? 26 : 14);
    memory.setU16(item, 0);
    memory.setU8(item + 2, familyOf(bytes));
    memory.setU8(item + 3, hints.type || 2);
    memory.setU8(item + 4, hints.protocol || (hints.type === 1 ? 2 : 1));
    memory.setU32(item + 8, bytes.length === 16 ? 28 : 16);
    memory.setU32(item + 20, 0);
    count++;
    const next = memory.u32(item + 24);
    // A Go library links every item to itself and reads its array by index: then the list continues after this item.
    if (next === item) break;
    item = next;
  }
  return count;
}

function untilNul(text) {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

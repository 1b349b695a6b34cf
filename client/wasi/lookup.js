// sock_getaddrinfo: names are resolved by the node, so that the policy's rules for names know which addresses belong to a name.

import { Errno, lookupErrnoOf } from "./errno.js";
import { Family, asFamily, familyOf, parseAddress, parseLoose4, unmapped } from "./address.js";
import { servicePort } from "./services.js";
import { AGAIN } from "./table.js";

/** AI_ flags. */
const passive = 1;
const numericHost = 4;
const mapsIPv4 = 16;
const wantsAll = 32;

/** Loopback, and with AI_PASSIVE any address, of both families. */
const ownAddresses = ["127.0.0.1", "::1"].map(parseAddress);
const anyAddresses = ["0.0.0.0", "::"].map(parseAddress);

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
      found = hints.flags & passive ? anyAddresses : ownAddresses;
      return;
    }
    const literal = literalOf(name);
    if (literal) {
      // On Linux too an IPv4-mapped address is also one of IPv4.
      found = [hints.family === Family.INET4 ? unmapped(literal) : literal];
      if (choose(found, hints).length === 0) found = -Errno.AI_ADDRFAMILY;
      return;
    }
    if (hints.flags & numericHost || !isName(name)) {
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
    const wanted = choose(found, hints);
    if (wanted.length === 0) return -Errno.AI_NONAME;
    // IPv4 first: most nodes serve a guest that stops at the first address best this way.
    wanted.sort((a, b) => a.length - b.length);
    memory.setU32(countPointer, store(memory, memory.u32(listPointer), most, wanted, port, hints));
    return 0;
  });
}

/** The addresses of the requested family, and with AI_V4MAPPED those of IPv4 as IPv6's: if there is no other, or with AI_ALL. */
function choose(addresses, { family, flags }) {
  if (family === Family.UNSPEC) return [...addresses];
  const wanted = addresses.filter((bytes) => family === familyOf(bytes));
  if (family !== Family.INET6 || !(flags & mapsIPv4) || (wanted.length > 0 && !(flags & wantsAll))) return wanted;
  return [...wanted, ...addresses.filter((bytes) => bytes.length === 4).map((bytes) => asFamily(bytes, family))];
}

/** An address as glibc's getaddrinfo reads it: inet_aton's IPv4, and an IPv6 zone by number only, for there are no interfaces here. */
function literalOf(name) {
  if (!name.includes(":")) return parseLoose4(name);
  return /^[^[%]*(%\d+)?$/.test(name) ? parseAddress(name) : null;
}

/** Whether the node takes `name` as one: a name that it would refuse for its form is unknown without asking. */
function isName(name) {
  const labels = name.replace(/\.$/, "").split(".");
  return name.length <= 253 && labels.every((label) => /^(?!-)[\w-]{1,63}$/.test(label) && !label.endsWith("-")) && !/^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1));
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

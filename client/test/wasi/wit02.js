// The functions of wasi:sockets 0.2 and of the interfaces it uses, with their types, as in the WIT files. A function is [name, parameters,
// result]; a resource's methods have the resource's name and a dot in front, and `self` is left out.

const option = (type) => ({ option: type });
const list = (type) => ({ list: type });
const tuple = (...types) => ({ tuple: types });
const own = (name) => ({ own: name });
const borrow = (name) => ({ borrow: name });
const record = (fields) => ({ record: fields });
const variant = (cases) => ({ variant: cases });
const enumeration = (...names) => ({ enum: names });
const result = (ok, error) => ({ result: { ok, error } });

const errorCode = enumeration(
  "unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout", "concurrency-conflict", "not-in-progress",
  "would-block", "invalid-state", "new-socket-limit", "address-not-bindable", "address-in-use", "remote-unreachable", "connection-refused",
  "connection-reset", "connection-aborted", "datagram-too-large", "name-unresolvable", "temporary-resolver-failure", "permanent-resolver-failure",
);
const family = enumeration("ipv4", "ipv6");
const ipv4 = tuple("u8", "u8", "u8", "u8");
const ipv6 = tuple("u16", "u16", "u16", "u16", "u16", "u16", "u16", "u16");
const ipAddress = variant({ ipv4, ipv6 });
const socketAddress = variant({
  ipv4: record({ port: "u16", address: ipv4 }),
  ipv6: record({ port: "u16", "flow-info": "u32", address: ipv6, "scope-id": "u32" }),
});
const streamError = variant({ "last-operation-failed": own("error"), closed: null });

const or = (type) => result(type, errorCode);
const orStream = (type) => result(type, streamError);
const bytes = list("u8");

const options = (resource, names) => Object.entries(names).flatMap(([name, type]) => [
  [`${resource}.${name}`, [], or(type)], [`${resource}.set-${name}`, [type], or(null)],
]);

export const interfaces = {
  "wasi:io/error": [["error.to-debug-string", [], "string"]],
  "wasi:io/poll": [["pollable.ready", [], "bool"], ["pollable.block", [], null], ["poll", [list(borrow("pollable"))], list("u32")]],
  "wasi:io/streams": [
    ["input-stream.read", ["u64"], orStream(bytes)], ["input-stream.blocking-read", ["u64"], orStream(bytes)],
    ["input-stream.skip", ["u64"], orStream("u64")], ["input-stream.blocking-skip", ["u64"], orStream("u64")],
    ["input-stream.subscribe", [], own("pollable")],
    ["output-stream.check-write", [], orStream("u64")], ["output-stream.write", [bytes], orStream(null)],
    ["output-stream.blocking-write-and-flush", [bytes], orStream(null)], ["output-stream.flush", [], orStream(null)],
    ["output-stream.blocking-flush", [], orStream(null)], ["output-stream.subscribe", [], own("pollable")],
    ["output-stream.write-zeroes", ["u64"], orStream(null)], ["output-stream.blocking-write-zeroes-and-flush", ["u64"], orStream(null)],
    ["output-stream.splice", [borrow("input-stream"), "u64"], orStream("u64")],
    ["output-stream.blocking-splice", [borrow("input-stream"), "u64"], orStream("u64")],
  ],
  "wasi:clocks/monotonic-clock": [
    ["now", [], "u64"], ["resolution", [], "u64"], ["subscribe-instant", ["u64"], own("pollable")], ["subscribe-duration", ["u64"], own("pollable")],
  ],
  "wasi:sockets/network": [],
  "wasi:sockets/instance-network": [["instance-network", [], own("network")]],
  "wasi:sockets/ip-name-lookup": [
    ["resolve-addresses", [borrow("network"), "string"], or(own("resolve-address-stream"))],
    ["resolve-address-stream.resolve-next-address", [], or(option(ipAddress))], ["resolve-address-stream.subscribe", [], own("pollable")],
  ],
  "wasi:sockets/tcp": [
    ["tcp-socket.start-bind", [borrow("network"), socketAddress], or(null)], ["tcp-socket.finish-bind", [], or(null)],
    ["tcp-socket.start-connect", [borrow("network"), socketAddress], or(null)],
    ["tcp-socket.finish-connect", [], or(tuple(own("input-stream"), own("output-stream")))],
    ["tcp-socket.start-listen", [], or(null)], ["tcp-socket.finish-listen", [], or(null)],
    ["tcp-socket.accept", [], or(tuple(own("tcp-socket"), own("input-stream"), own("output-stream")))],
    ["tcp-socket.local-address", [], or(socketAddress)], ["tcp-socket.remote-address", [], or(socketAddress)],
    ["tcp-socket.is-listening", [], "bool"], ["tcp-socket.address-family", [], family],
    ["tcp-socket.set-listen-backlog-size", ["u64"], or(null)],
    ...options("tcp-socket", {
      "keep-alive-enabled": "bool", "keep-alive-idle-time": "u64", "keep-alive-interval": "u64", "keep-alive-count": "u32", "hop-limit": "u8",
      "receive-buffer-size": "u64", "send-buffer-size": "u64",
    }),
    ["tcp-socket.subscribe", [], own("pollable")], ["tcp-socket.shutdown", [enumeration("receive", "send", "both")], or(null)],
  ],
  "wasi:sockets/tcp-create-socket": [["create-tcp-socket", [family], or(own("tcp-socket"))]],
  "wasi:sockets/udp": [
    ["udp-socket.start-bind", [borrow("network"), socketAddress], or(null)], ["udp-socket.finish-bind", [], or(null)],
    ["udp-socket.stream", [option(socketAddress)], or(tuple(own("incoming-datagram-stream"), own("outgoing-datagram-stream")))],
    ["udp-socket.local-address", [], or(socketAddress)], ["udp-socket.remote-address", [], or(socketAddress)], ["udp-socket.address-family", [], family],
    ...options("udp-socket", { "unicast-hop-limit": "u8", "receive-buffer-size": "u64", "send-buffer-size": "u64" }),
    ["udp-socket.subscribe", [], own("pollable")],
    ["incoming-datagram-stream.receive", ["u64"], or(list(record({ data: bytes, "remote-address": socketAddress })))],
    ["incoming-datagram-stream.subscribe", [], own("pollable")],
    ["outgoing-datagram-stream.check-send", [], or("u64")],
    ["outgoing-datagram-stream.send", [list(record({ data: bytes, "remote-address": option(socketAddress) }))], or("u64")],
    ["outgoing-datagram-stream.subscribe", [], own("pollable")],
  ],
  "wasi:sockets/udp-create-socket": [["create-udp-socket", [family], or(own("udp-socket"))]],
};

/** Resources by the interface that defines them. */
export const resources = {
  "wasi:io/error": ["error"], "wasi:io/poll": ["pollable"], "wasi:io/streams": ["input-stream", "output-stream"],
  "wasi:sockets/network": ["network"], "wasi:sockets/ip-name-lookup": ["resolve-address-stream"], "wasi:sockets/tcp": ["tcp-socket"],
  "wasi:sockets/udp": ["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"],
};

/** The functions that jco awaits with --async-mode jspi, as in its --async-wasi-imports. */
export const waiting = new Set([
  "poll", "pollable.block", "input-stream.blocking-read", "input-stream.blocking-skip", "output-stream.blocking-flush",
  "output-stream.blocking-write-and-flush", "output-stream.blocking-write-zeroes-and-flush", "output-stream.blocking-splice",
]);

export const camel = (name) => name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
export const pascal = (name) => camel(`-${name}`);

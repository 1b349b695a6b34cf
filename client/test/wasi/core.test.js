// The core without a browser: memory in, errno out, over a scripted transport.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readFile } from "node:fs/promises";
import { Core } from "../../wasi/core.js";
import { codeTable, Errno, errnoOf, lookupErrnoOf } from "../../wasi/errno.js";
import { formatAddress, parseAddress } from "../../wasi/address.js";
import { servicePort } from "../../wasi/services.js";
import { AGAIN } from "../../wasi/table.js";
import { services } from "../../wasi/services.js";
import { ByteQueue } from "../../wasi/queue.js";
import { Ring } from "../../wasi/ring.js";
import { Host } from "../../wasi/host.js";
import { MissingImports, checkImports, combine } from "../../wasi/bridge.js";

/** A channel that takes up to `credit` bytes and keeps them. */
class FakeChannel {
  credit = 1024;
  sent = [];
  calls = [];
  constructor(target, handler) { Object.assign(this, { target, handler }); }
  send(bytes) {
    const part = bytes.slice(0, this.credit);
    this.credit -= part.length;
    this.sent.push(...part);
    return part.length;
  }
  sendTo(bytes, host, port) { this.calls.push(["sendTo", [...bytes], host, port]); }
  consumed(count) { this.calls.push(["consumed", count]); }
  shutdown() { this.calls.push(["shutdown"]); }
  close() { this.calls.push(["close"]); }
  reset() { this.calls.push(["reset"]); }
}

function setUp({ taken } = {}) {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const channels = [];
  const open = (kind) => (target, handler) => {
    channels.push(new FakeChannel({ kind, ...target }, handler));
    return channels.at(-1);
  };
  const lookups = [];
  const transport = {
    connect: open("connect"), bind: open("bind"), connectUdp: open("connectUdp"), bindUdp: open("bindUdp"),
    resolve: (name, done) => lookups.push({ name, done }),
  };
  let now = 1000;
  // An operation that has to wait is tried once more after `meanwhile`, and if that did not help the result is "waits".
  const blocker = {
    meanwhile: () => {},
    run(table, operation, { nonblocking }) {
      let result = operation();
      if (result === AGAIN && !nonblocking) {
        this.meanwhile();
        result = operation();
        if (result === AGAIN) return "waits";
      }
      return result === AGAIN ? Errno.AGAIN : result < 0 ? -result : 0;
    },
  };
  const core = new Core({ memory, transport, blocker, taken, clock: { monotonic: () => now, realtime: () => now + 5000 } });
  const { own, shared, poll } = core.functions();
  const view = () => new DataView(memory.buffer);
  return {
    memory, core, channels, lookups, blocker, poll, view, calls: { ...shared, ...own },
    u32: (at) => view().getUint32(at, true), u16: (at) => view().getUint16(at, true),
    put: (at, bytes) => new Uint8Array(memory.buffer).set(bytes, at),
    bytes: (at, length) => [...new Uint8Array(memory.buffer, at, length)],
    setU32: (at, value) => view().setUint32(at, value, true),
    advance: (ms) => { now += ms; },
    /** An address buffer at 64 of `bytes`, its descriptor at 32. */
    address(bytes) {
      this.put(64, bytes);
      this.setU32(32, 64);
      this.setU32(36, bytes.length);
      return 32;
    },
    /** An open, connected stream socket: its descriptor and channel. */
    connected() {
      assert.equal(this.calls.sock_open(1, 2, 0), 0);
      const fd = this.u32(0);
      this.blocker.meanwhile = () => channels.at(-1).handler.opened({ local: "10.0.0.1:4000", remote: "127.0.0.1:80" });
      assert.equal(this.calls.sock_connect(fd, this.address([127, 0, 0, 1]), 80), 0);
      this.blocker.meanwhile = () => {};
      return { fd, channel: channels.at(-1) };
    },
  };
}

test("addresses: what inet_pton takes, and RFC 5952's text", () => {
  const canonicalOf = {
    "1.2.3.4": "1.2.3.4", "::1": "::1", "[2001:db8:0:0:1:0:0:1]": "2001:db8::1:0:0:1", "::ffff:1.2.3.4": "::ffff:102:304", "::": "::",
    "1:0:0:2:3:4:5:6": "1::2:3:4:5:6",
  };
  for (const [text, canonical] of Object.entries(canonicalOf)) {
    assert.equal(formatAddress(parseAddress(text)), canonical);
  }
  for (const bad of ["", "1.2.3", "01.2.3.4", "256.1.1.1", "0x1.2.3.4", "1:2", "::1::", "12345::", "g::", "1.2.3.4.5", "redis.test"]) {
    assert.equal(parseAddress(bad), null, bad);
  }
});

test("the first and the second form of an address", () => {
  const t = setUp();
  const zeros = (count) => new Array(count).fill(0);
  const hosts = [
    [[10, 1, 2, 3], "10.1.2.3"], [[...zeros(15), 1], "::1"], [[1, 0, 10, 1, 2, 4, ...zeros(122)], "10.1.2.4"],
    [[2, 0, ...zeros(15), 2, ...zeros(110)], "::2"],
  ];
  for (const [bytes, host] of hosts) {
    t.calls.sock_open(host.includes(":") ? 2 : 1, 2, 0);
    assert.equal(t.calls.sock_connect(t.u32(0), t.address(bytes), 6379), "waits");
    assert.deepEqual([t.channels.at(-1).target.host, t.channels.at(-1).target.port], [host, 6379]);
  }
  t.calls.sock_open(1, 2, 0);
  assert.equal(t.calls.sock_connect(t.u32(0), t.address([1, 2, 3]), 1), Errno.INVAL);
  assert.equal(t.calls.sock_connect(t.u32(0), t.address([3, 0, ...new Array(126).fill(65)]), 1), Errno.AFNOSUPPORT);
});

const mapped = [...new Array(10).fill(0), 255, 255, 127, 0, 0, 1];
const second = (family, bytes) => [family, 0, ...bytes, ...new Array(126 - bytes.length).fill(0)];

test("an IPv6 socket's IPv4 peers have mapped addresses for it, and plain ones for the node", () => {
  const t = setUp();
  const peerOf = (fd, call) => {
    t.address(new Array(128).fill(9));
    return call(fd, 32, 300) || [t.u16(64), t.bytes(66, 16), t.u32(300)];
  };
  t.calls.sock_open(2, 1, 0);
  const datagrams = t.u32(0);
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "0.0.0.0:5000" });
  assert.equal(t.calls.sock_connect(datagrams, t.address(second(2, mapped)), 53), 0);
  t.blocker.meanwhile = () => {};
  assert.equal(t.channels[0].target.host, "127.0.0.1");
  assert.deepEqual(peerOf(datagrams, t.calls.sock_getpeeraddr), [2, mapped, 53]);
  assert.equal(peerOf(datagrams, t.calls.sock_getlocaladdr)[0], 2);
  for (const host of ["127.0.0.2", "127.0.0.1", "::ffff:7f00:1"]) t.channels[0].handler.datagram(Uint8Array.of(7), host, 53);
  t.setU32(400, 500);
  t.setU32(404, 3);
  for (let i = 0; i < 2; i++) {
    t.address(new Array(128).fill(9));
    assert.equal(t.calls.sock_recv_from(datagrams, 400, 1, 32, 0, 304, 408, 412), 0);
    assert.deepEqual([t.u16(64), t.bytes(66, 16), t.u16(304)], [2, mapped, 53]);
  }
  assert.equal(t.calls.fd_read(datagrams, 400, 1, 408), "waits", "another's datagram is not received");

  t.calls.sock_open(2, 2, 0);
  const stream = t.u32(0);
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "127.0.0.1:4000", remote: "127.0.0.1:80" });
  assert.equal(t.calls.sock_connect(stream, t.address(second(2, mapped)), 80), 0);
  assert.deepEqual(peerOf(stream, t.calls.sock_getpeeraddr), [2, mapped, 80]);
  assert.deepEqual(peerOf(stream, t.calls.sock_getlocaladdr), [2, mapped, 4000]);
});

test("an address of another family than the socket's fails as on Linux", () => {
  const t = setUp();
  const [four, six] = [second(1, [127, 0, 0, 1]), second(2, [...new Array(15).fill(0), 1])];
  const call = (name, family, type, address, ...rest) => {
    assert.equal(t.calls.sock_open(family, type, 0), 0);
    return t.calls[name](t.u32(0), t.address(address), ...rest);
  };
  for (const type of [1, 2]) {
    assert.equal(call("sock_connect", 1, type, six, 80), Errno.AFNOSUPPORT);
    assert.equal(call("sock_bind", 1, type, six, 80), Errno.AFNOSUPPORT);
    assert.equal(call("sock_bind", 2, type, four, 80), Errno.INVAL);
  }
  assert.equal(call("sock_connect", 2, 2, four, 80), Errno.INVAL);
  assert.equal(call("sock_connect", 2, 1, four, 80), "waits", "datagrams may go to either");
  const sendTo = (family, address) => {
    t.calls.sock_open(family, 1, 0);
    return t.calls.sock_send_to(t.u32(0), 400, 0, t.address(address), 9, 0, 408);
  };
  assert.deepEqual([sendTo(1, six), sendTo(2, four), sendTo(1, second(0, [127, 0, 0, 1])), sendTo(2, second(0, []))],
    [Errno.AFNOSUPPORT, "waits", "waits", Errno.DESTADDRREQ]);
});

test("getters: the first form says 4 or 6, the second fills 128 bytes", () => {
  const t = setUp();
  const { fd } = t.connected();
  t.address([0, 0, 0, 0]);
  assert.equal(t.calls.sock_getpeeraddr(fd, 32, 100, 104), 0);
  assert.deepEqual([t.bytes(64, 4), t.u32(100), t.u32(104)], [[127, 0, 0, 1], 4, 80]);
  t.address(new Array(128).fill(9));
  assert.equal(t.calls.sock_getlocaladdr(fd, 32, 300), 0);
  assert.deepEqual([t.bytes(64, 7), t.u32(300)], [[1, 0, 10, 0, 0, 1, 0], 4000]);
});

test("a number of arguments that is neither form's is ENOSYS", () => {
  const t = setUp();
  const { fd } = t.connected();
  assert.equal(t.calls.sock_getpeeraddr(fd, 32), Errno.NOSYS);
  assert.equal(t.calls.sock_getlocaladdr(fd, 32, 100, 104, 108), Errno.NOSYS);
  assert.equal(t.calls.sock_recv_from(fd, 0, 0, 0), Errno.NOSYS);
  assert.equal(t.calls.sock_accept(fd, 0, 0, 0), Errno.NOSYS);
  assert.equal(t.calls.sock_getaddrinfo(0, 0), Errno.NOSYS);
});

test("the second form has names of its own, which take nothing else", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  assert.equal(t.calls.sock_getpeeraddr_v2(fd, t.address(new Array(128).fill(9)), 300), 0);
  assert.deepEqual([t.bytes(64, 7), t.u32(300)], [[1, 0, 127, 0, 0, 1, 0], 80]);
  assert.equal(t.calls.sock_getpeeraddr_v2(fd, 32, 100, 104), Errno.NOSYS);
  assert.equal(t.calls.sock_accept_v2(fd, 100), Errno.NOSYS);
  t.put(200, [104, 105]);
  t.setU32(208, 200);
  t.setU32(212, 2);
  assert.equal(t.calls.sock_send_v2(fd, 208, 1, 0, 300), 0);
  assert.deepEqual([channel.sent, t.u32(300)], [[104, 105], 2]);
  assert.equal(t.calls.sock_send_v2(99, 208, 1, 0, 300), Errno.BADF);
});

test("connect: pending, refused, up", () => {
  const t = setUp();
  t.calls.sock_open(1, 2, 0);
  const fd = t.u32(0);
  t.calls.fd_fdstat_set_flags(fd, 4);
  const connect = () => t.calls.sock_connect(fd, t.address([127, 0, 0, 1]), 80);
  assert.equal(connect(), Errno.INPROGRESS);
  assert.equal(connect(), Errno.ALREADY);
  t.channels[0].handler.closed("refused");
  assert.equal(connect(), Errno.CONNREFUSED);
  assert.equal(connect(), Errno.INPROGRESS);
  t.channels[1].handler.opened({});
  assert.equal(connect(), Errno.ISCONN);
});

test("bind and then connect: the port is let go, and the node is not asked for it", () => {
  const t = setUp();
  t.calls.sock_open(1, 2, 0);
  const fd = t.u32(0);
  assert.equal(t.calls.sock_bind(fd, t.address([0, 0, 0, 0]), 40000), 0);
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({});
  assert.equal(t.calls.sock_connect(fd, t.address([127, 0, 0, 1]), 80), 0);
  assert.deepEqual(t.channels.map(({ target }) => target.kind), ["connect"]);
});

test("udp: after bind, send and connect, connect again only changes the peer", () => {
  const t = setUp();
  t.calls.sock_open(1, 1, 0);
  const fd = t.u32(0);
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "0.0.0.0:5000" });
  assert.equal(t.calls.sock_bind(fd, t.address([127, 0, 0, 1]), 5000), 0);
  t.blocker.meanwhile = () => {};
  t.put(500, [1, 2, 3]);
  t.setU32(400, 500);
  t.setU32(404, 3);
  assert.equal(t.calls.sock_send_to(fd, 400, 1, t.address([127, 0, 0, 1]), 53, 0, 408), 0);
  for (const port of [53, 54]) {
    assert.equal(t.calls.sock_connect(fd, t.address([127, 0, 0, 1]), port), 0);
    assert.equal(t.calls.sock_send(fd, 400, 1, 0, 408), 0);
  }
  assert.deepEqual(t.channels.map(({ target, calls }) => [target.kind, calls.map((call) => call.at(-1))]), [["bindUdp", [53, 53, 54]]]);
  // Datagrams from others than the peer are ignored; a refusal is the peer's.
  t.channels[0].handler.datagram(Uint8Array.of(1), "127.0.0.1", 53);
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), "waits");
  t.channels[0].handler.failed("refused");
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), Errno.CONNREFUSED);
  t.address(new Array(128).fill(0));
  assert.equal(t.calls.sock_connect(fd, 32, 0), 0);
  t.channels[0].handler.failed("refused");
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), "waits");
});

test("udp: a refusal is still told after bind, what ended a lost socket is not", () => {
  const t = setUp();
  const open = () => t.channels.at(-1).handler.opened({ local: "0.0.0.0:5000" });
  t.setU32(404, 3);
  t.calls.sock_open(1, 1, 0);
  const fd = t.u32(0);
  const bind = () => {
    t.blocker.meanwhile = open;
    assert.equal(t.calls.sock_bind(fd, t.address([127, 0, 0, 1]), 0), 0);
    t.blocker.meanwhile = () => {};
  };
  t.blocker.meanwhile = open;
  assert.equal(t.calls.sock_connect(fd, t.address([127, 0, 0, 1]), 1), 0);
  t.channels[0].handler.failed("refused");
  t.address(new Array(128).fill(0));
  assert.equal(t.calls.sock_connect(fd, 32, 0), 0);
  bind();
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), Errno.CONNREFUSED);
  t.channels[1].handler.closed("connection_lost");
  bind();
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), "waits");
});

test("options are remembered with Linux's defaults, and what cannot be had is refused", () => {
  const t = setUp();
  t.calls.sock_open(1, 2, 0);
  const fd = t.u32(0);
  const get = (level, name) => {
    t.setU32(600, 4);
    const errno = t.calls.sock_getsockopt(fd, level, name, 604, 600);
    return errno ? { errno } : t.u32(604);
  };
  const set = (level, name, value, length = 4) => {
    t.setU32(604, value);
    return t.calls.sock_setsockopt(fd, level, name, 604, length);
  };
  assert.deepEqual([get(6, 1), set(6, 1, 7), get(6, 1)], [0, 0, 1]);
  assert.deepEqual([get(6, 4), set(6, 4, 30), get(6, 4)], [7200, 0, 30]);
  assert.deepEqual([set(6, 6, 0), set(6, 1, 1, 2), set(0x100, 35, 0), set(41, 26, 1)], [Errno.INVAL, Errno.INVAL, Errno.NOPROTOOPT, Errno.NOPROTOOPT]);
  assert.deepEqual([get(0, 13), get(0, 16), get(0, 17)], [0, 1, 6]);
});

test("reads: order, the end, an error once, credit as the guest reads", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  const read = (length) => {
    t.setU32(400, 500);
    t.setU32(404, length);
    const errno = t.calls.fd_read(fd, 400, 1, 408);
    return errno === 0 ? Buffer.from(t.bytes(500, t.u32(408))).toString() : errno;
  };
  assert.equal(read(10), "waits");
  channel.handler.data(new TextEncoder().encode("hello "));
  channel.handler.data(new TextEncoder().encode("world"));
  assert.equal(read(8), "hello wo");
  assert.deepEqual(channel.calls, [["consumed", 8]]);
  channel.handler.closed("target_reset");
  assert.equal(read(10), "rld");
  assert.equal(read(10), Errno.CONNRESET);
  assert.equal(read(10), "");
});

test("MSG_WAITALL: what came when no more may be waited for, more than the window holds, and errors after it", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  const waitAll = 2;
  const receive = (length, flags = waitAll) => {
    t.setU32(400, 500);
    t.setU32(404, length);
    return t.calls.sock_recv(fd, 400, 1, flags, 408, 412) || Buffer.from(t.bytes(500, t.u32(408))).toString();
  };
  const data = (text) => channel.handler.data(Buffer.from(text));
  t.calls.fd_fdstat_set_flags(fd, 4);
  data("abc");
  assert.deepEqual([receive(10, waitAll | 1), receive(10), receive(10)], ["abc", "abc", Errno.AGAIN]);
  t.calls.fd_fdstat_set_flags(fd, 0);
  data("abc");
  t.blocker.meanwhile = () => data("defg");
  assert.equal(receive(5), "abcde");
  t.blocker.meanwhile = () => channel.handler.closed("target_reset");
  data("hi");
  assert.deepEqual([receive(10), receive(10), receive(10)], ["fghi", Errno.CONNRESET, ""]);

  const large = t.connected();
  large.channel.handler.data(new Uint8Array(20000));
  t.blocker.meanwhile = () => large.channel.handler.data(new Uint8Array(20000));
  t.setU32(400, 500);
  t.setU32(404, 40000);
  assert.deepEqual([t.calls.sock_recv(large.fd, 400, 1, waitAll, 408, 412), t.u32(408)], [0, 40000]);
  assert.deepEqual(large.channel.calls, [["consumed", 20000], ["consumed", 20000]], "credit is granted meanwhile");
});

test("MSG_WAITALL and SO_SNDTIMEO: when the time is over the count so far is the result", () => {
  for (const late of [(t) => t, (t) => Promise.resolve(t)]) {
    const t = setUp();
    const { fd, channel } = t.connected();
    channel.handler.data(Buffer.from("abc"));
    t.setU32(400, 500);
    t.setU32(404, 10);
    t.blocker.run = (table, operation) => late(operation() === AGAIN ? Errno.AGAIN : 0);
    const settled = [t.calls.sock_recv(fd, 400, 1, 2, 408, 412), t.calls.sock_recv(fd, 400, 1, 2, 416, 412)];
    channel.credit = 4;
    settled.push(t.calls.sock_send(fd, 400, 1, 0, 420));
    const check = (results) => assert.deepEqual([results, t.u32(408), t.u32(420)], [[0, Errno.AGAIN, 0], 3, 4]);
    if (settled[0] instanceof Promise) return Promise.all(settled).then(check);
    check(settled);
  }
});

test("a receive for no bytes waits for some, a read does not", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  assert.deepEqual([t.calls.sock_recv(fd, 400, 0, 0, 408, 412), t.calls.fd_read(fd, 400, 0, 408)], ["waits", 0]);
  channel.handler.data(Uint8Array.of(1));
  assert.deepEqual([t.calls.sock_recv(fd, 400, 0, 0, 408, 412), t.u32(408)], [0, 0]);
});

test("port 0: refused on a stream, a peer that never answers on a datagram socket", () => {
  const t = setUp();
  const connect = (type, flags = 0) => {
    t.calls.sock_open(1, type, 0);
    t.calls.fd_fdstat_set_flags(t.u32(0), flags);
    return t.calls.sock_connect(t.u32(0), t.address([127, 0, 0, 1]), 0);
  };
  assert.equal(connect(2), Errno.CONNREFUSED);
  assert.equal(connect(2, 4), Errno.INPROGRESS);
  t.setU32(108, 4);
  assert.equal(t.calls.sock_getsockopt(t.u32(0), 0, 2, 104, 108), 0);
  assert.equal(t.u32(104), Errno.CONNREFUSED);
  assert.equal(connect(1), 0);
  const fd = t.u32(0);
  assert.deepEqual([t.calls.sock_send(fd, 400, 0, 0, 408), t.calls.sock_getpeeraddr(fd, 32, 300)], [0, Errno.NOTCONN]);
  assert.equal(t.calls.sock_send_to(fd, 400, 0, t.address([127, 0, 0, 1]), 0, 0, 408), Errno.INVAL);
  assert.equal(t.channels.length, 0, "the node is not asked");
});

test("a pair whose other end closed with data unread: first the data, then the reset", () => {
  const t = setUp();
  assert.equal(t.calls.sock_pair(2, 0, 4), 0);
  const [one, other] = [t.u32(0), t.u32(4)];
  t.put(500, Buffer.from("abc"));
  t.setU32(400, 500);
  t.setU32(404, 3);
  assert.deepEqual([t.calls.fd_write(one, 400, 1, 408), t.calls.fd_write(other, 400, 1, 408), t.calls.fd_close(other)], [0, 0, 0]);
  const read = () => t.calls.fd_read(one, 400, 1, 408) || t.u32(408);
  assert.deepEqual([read(), read(), read()], [3, Errno.CONNRESET, 0]);
  t.calls.sock_pair(2, 0, 4);
  const call = (name, bytes, ...rest) => t.calls[name](t.u32(0), ...(name === "sock_send_to" ? [400, 1] : []), t.address(bytes), ...rest);
  assert.deepEqual([call("sock_send_to", [127, 0, 0, 1], 9, 0, 408), call("sock_connect", [127, 0, 0, 1], 9), call("sock_connect", second(0, []), 0),
    call("sock_bind", [0, 0, 0, 0], 0)], [Errno.ISCONN, Errno.INVAL, Errno.INVAL, Errno.INVAL]);
});

test("whatever the host's functions get for a pointer, the program gets an errno", () => {
  const t = setUp();
  t.blocker.wrapImport = (call) => call;
  const host = new Host({ memory: t.memory, args: ["a"], env: { B: "c" }, output: { room: 100, write() {} }, stdin: { length: 0, ended: true, read: () => 0 } });
  const all = combine(host.functions(t.core), t.core, t.blocker);
  const bad = 0xfffffff0;
  const calls = {
    clock_time_get: [0, 1n, bad], clock_res_get: [0, bad], random_get: [bad, 100], args_get: [bad, 8], args_sizes_get: [bad, 8], environ_get: [bad, bad],
    fd_fdstat_get: [0, bad], fd_filestat_get: [1, bad], fd_read: [0, bad, 1, 8], fd_write: [1, bad, 1, 8], poll_oneoff: [bad, 8, 1, 8],
  };
  for (const [name, args] of Object.entries(calls)) assert.equal(all[name](...args), Errno.FAULT, name);
});

test("a socket's call on a descriptor that is open but no socket is ENOTSOCK", () => {
  const t = setUp({ taken: (fd) => fd < 3 });
  const noSocket = (fd) => ["sock_connect", "sock_bind", "sock_listen", "sock_accept", "sock_recv", "sock_send", "sock_shutdown", "sock_getsockopt"]
    .map((name) => t.calls[name](fd, 400, 0, 0, 408, 412));
  assert.deepEqual([new Set(noSocket(1)), new Set(noSocket(9))], [new Set([Errno.NOTSOCK]), new Set([Errno.BADF])]);
});

test("writes: all of it when blocking, what fits when not; EPIPE after shutdown", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  t.put(500, new Array(100).fill(7));
  t.setU32(400, 500);
  t.setU32(404, 100);
  channel.credit = 60;
  t.blocker.meanwhile = () => { channel.credit = 60; };
  assert.deepEqual([t.calls.sock_send(fd, 400, 1, 0, 408), t.u32(408), channel.sent.length], [0, 100, 100]);
  t.calls.fd_fdstat_set_flags(fd, 4);
  channel.credit = 30;
  assert.deepEqual([t.calls.sock_send(fd, 400, 1, 0, 408), t.u32(408)], [0, 30]);
  assert.equal(t.calls.sock_send(fd, 400, 1, 0, 408), Errno.AGAIN);
  // An error after some bytes were sent is the next call's.
  channel.credit = 30;
  assert.equal(t.calls.sock_shutdown(fd, 2), 0);
  assert.equal(t.calls.sock_send(fd, 400, 1, 0, 408), Errno.PIPE);
});

test("addresses outside memory are EFAULT, and nothing throws into the guest", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  channel.handler.data(Uint8Array.of(1, 2, 3));
  t.setU32(400, 65530);
  t.setU32(404, 100);
  assert.equal(t.calls.fd_read(fd, 400, 1, 408), Errno.FAULT);
  assert.equal(t.calls.fd_read(fd, 0xfffffff0, 1, 408), Errno.FAULT);
  assert.equal(t.calls.fd_read(fd, 400, 0x7fffffff, 408), Errno.INVAL, "more buffers than a call has");
  assert.equal(t.calls.sock_open(1, 2, 65535), Errno.FAULT);
  assert.equal(t.poll(65530, 0, 1, 8), Errno.FAULT);
  assert.equal(t.calls.sock_recv(99, 400, 1, 0, 408, 412), Errno.BADF);
});

test("poll: several clocks, a bad descriptor, no subscriptions", () => {
  const t = setUp();
  const { fd, channel } = t.connected();
  const subscribe = (index, userdata, tag, fdOrClock, timeout = 0) => {
    const at = 1000 + index * 48;
    t.view().setBigUint64(at, BigInt(userdata), true);
    t.view().setUint8(at + 8, tag);
    t.setU32(at + 16, fdOrClock);
    t.view().setBigUint64(at + 24, BigInt(timeout), true);
    t.view().setUint16(at + 40, 0, true);
  };
  const events = () => Array.from({ length: t.u32(3000) }, (_, i) => {
    const at = 2000 + i * 32;
    return { userdata: Number(t.view().getBigUint64(at, true)), error: t.u16(at + 8), type: t.bytes(at + 10, 1)[0], bytes: t.u32(at + 16), flags: t.u16(at + 24) };
  });
  subscribe(0, 1, 0, 1, 50_000_000);
  subscribe(1, 2, 0, 1, 80_000_000);
  subscribe(2, 3, 1, fd);
  t.blocker.meanwhile = () => t.advance(60);
  assert.equal(t.poll(1000, 2000, 3, 3000), 0);
  assert.deepEqual(events(), [{ userdata: 1, error: 0, type: 0, bytes: 0, flags: 0 }]);
  subscribe(3, 4, 2, 77);
  channel.handler.data(Uint8Array.of(1, 2, 3));
  channel.handler.closed("normal");
  assert.equal(t.poll(1000, 2000, 4, 3000), 0);
  assert.deepEqual(events(), [{ userdata: 3, error: 0, type: 1, bytes: 3, flags: 21 }, { userdata: 4, error: Errno.BADF, type: 2, bytes: 0, flags: 0 }]);
  assert.equal(t.poll(1000, 2000, 0, 3000), Errno.INVAL);
});

test("accept: in order, the backlog, the listener's end", () => {
  const t = setUp();
  t.calls.sock_open(1, 2, 0);
  const fd = t.u32(0);
  assert.equal(t.calls.sock_bind(fd, t.address([127, 0, 0, 1]), 8080), 0);
  assert.equal(t.channels.length, 0, "who connects after all needs no right to bind");
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "127.0.0.1:8080" });
  assert.equal(t.calls.sock_listen(fd, 2), 0);
  t.blocker.meanwhile = () => {};
  const accepted = ["1.1.1.1:1", "2.2.2.2:2", "3.3.3.3:3"].map((remote) => {
    const channel = new FakeChannel({}, {});
    t.channels[0].handler.accepted(channel, { remote });
    return channel;
  });
  assert.deepEqual(accepted.map(({ calls }) => calls), [[], [], [["reset"]]]);
  assert.equal(t.calls.sock_accept(fd, 0), 0);
  assert.equal(t.calls.sock_getpeeraddr(t.u32(0), t.address([0, 0, 0, 0]), 100, 104), 0);
  assert.deepEqual(t.bytes(64, 4), [1, 1, 1, 1]);
  assert.equal(t.calls.sock_accept(fd, 4, 0), 0);
  assert.equal(t.calls.sock_accept(fd, 4, 0), "waits");
  t.channels[0].handler.closed("connection_lost");
  assert.equal(t.calls.sock_accept(fd, 4, 0), Errno.NETDOWN);
});

test("an error from before listen is SO_ERROR's, not accept's", () => {
  const t = setUp();
  const { fd } = t.connected();
  t.calls.fd_fdstat_set_flags(fd, 4);
  t.address(new Array(128).fill(0));
  assert.equal(t.calls.sock_connect(fd, 32, 0), 0);
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "0.0.0.0:8080" });
  assert.equal(t.calls.sock_listen(fd, 2), 0);
  assert.equal(t.calls.sock_accept(fd, 4, 0), Errno.AGAIN);
  t.setU32(108, 4);
  assert.equal(t.calls.sock_getsockopt(fd, 0, 2, 104, 108), 0);
  assert.equal(t.u32(104), Errno.CONNRESET);
});

test("an address that was bound outlives connect() with AF_UNSPEC, in an accepted socket too", () => {
  const t = setUp();
  const unconnect = (fd) => {
    t.address(new Array(128).fill(0));
    assert.equal(t.calls.sock_connect(fd, 32, 0), 0);
  };
  const bound = (type) => {
    t.calls.sock_open(1, type, 0);
    const fd = t.u32(0);
    assert.equal(t.calls.sock_bind(fd, t.address([127, 0, 0, 1]), 0), 0);
    return fd;
  };
  t.blocker.meanwhile = () => t.channels.at(-1).handler.opened({ local: "127.0.0.1:5000" });
  const datagrams = bound(1);
  unconnect(datagrams);
  assert.equal(t.calls.sock_getlocaladdr(datagrams, t.address([0, 0, 0, 0]), 100, 104), 0);
  assert.deepEqual([t.bytes(64, 4), t.u32(104)], [[127, 0, 0, 1], 0]);

  const listener = bound(2);
  assert.equal(t.calls.sock_listen(listener, 2), 0);
  t.channels.at(-1).handler.accepted(new FakeChannel({}, {}), { remote: "1.1.1.1:1" });
  assert.equal(t.calls.sock_accept(listener, 0), 0);
  const accepted = t.u32(0);
  unconnect(accepted);
  assert.equal(t.calls.sock_listen(accepted, 2), 0);
  assert.deepEqual(t.channels.map(({ target }) => [target.kind, target.host]), [["bindUdp", "127.0.0.1"], ["bind", "127.0.0.1"], ["bind", "127.0.0.1"]]);
});

test("a connection that is removed is a reset, and one that had ended is not reset again", () => {
  const t = setUp();
  t.setU32(400, 500);
  t.setU32(404, 3);
  const read = (fd) => t.calls.fd_read(fd, 400, 1, 408);
  for (const [code, ...errors] of [["target_reset", Errno.CONNRESET, Errno.NOTCONN], [null, Errno.AGAIN, Errno.CONNRESET]]) {
    const { fd, channel } = t.connected();
    t.calls.fd_fdstat_set_flags(fd, 4);
    if (code) channel.handler.closed(code);
    assert.equal(read(fd), errors[0]);
    t.address(new Array(128).fill(0));
    assert.equal(t.calls.sock_connect(fd, 32, 0), 0);
    assert.equal(read(fd), errors[1]);
  }
});

test("services: every one of Debian's /etc/services", async () => {
  const seen = new Set();
  for (const line of (await readFile("/etc/services", "utf8")).split("\n")) {
    const [name, place, ...aliases] = line.replace(/#.*/, "").split(/\s+/).filter(Boolean);
    const [port, protocol] = place?.split("/") ?? [];
    if (protocol !== "tcp" && protocol !== "udp") continue;
    for (const each of [name, ...aliases]) {
      // The first of a name counts.
      if (seen.has(`${each}/${protocol}`)) continue;
      seen.add(`${each}/${protocol}`);
      assert.equal(servicePort(each, protocol), Number(port), `${each}/${protocol}`);
    }
  }
  assert.ok(seen.size > 300, `${seen.size} names`);
  assert.equal(servicePort("nonsense", "tcp"), undefined);
});

test("lookups: the node's addresses, and what does not fit is left out", () => {
  const t = setUp();
  t.put(4000, new TextEncoder().encode("redis.test\0"));
  t.put(4020, new TextEncoder().encode("6379\0"));
  // Two items with room for 26 bytes each, one of 14.
  [26, 14, 26].forEach((room, i) => {
    t.setU32(4100 + i * 28 + 12, 4200 + i * 12);
    t.setU32(4100 + i * 28 + 24, i < 2 ? 4100 + (i + 1) * 28 : 0);
    t.setU32(4200 + i * 12 + 4, room);
    t.setU32(4200 + i * 12 + 8, 4300 + i * 32);
  });
  t.setU32(4060, 4100);
  t.blocker.meanwhile = () => t.lookups[0].done(null, ["2001:db8::1", "10.0.0.7"]);
  assert.equal(t.calls.sock_getaddrinfo(4000, 11, 4020, 5, 4040, 4060, 3, 4064), 0);
  assert.equal(t.u32(4064), 1);
  assert.deepEqual(t.bytes(4300, 6), [0x18, 0xeb, 10, 0, 0, 7]);
  t.blocker.meanwhile = () => t.lookups[1].done("name_not_found", null);
  assert.equal(t.calls.sock_getaddrinfo(4000, 11, 4020, 5, 4040, 4060, 3, 4064), Errno.AI_NONAME);
});

test("lookups: literals as inet_aton reads them, mapped addresses, and names that are none without asking the node", () => {
  const t = setUp();
  const lookup = (name, { flags = 0, family = 0 } = {}) => {
    const text = new TextEncoder().encode(`${name}\0`);
    t.put(4000, text);
    t.setU32(4400, flags | family << 16);
    [0, 1, 2].forEach((i) => {
      t.setU32(4500 + i * 28 + 12, 4700 + i * 12);
      t.setU32(4500 + i * 28 + 24, i < 2 ? 4500 + (i + 1) * 28 : 0);
      t.setU32(4700 + i * 12 + 4, 26);
      t.setU32(4700 + i * 12 + 8, 4800 + i * 32);
    });
    t.setU32(4060, 4500);
    t.put(4450, [0x38, 0x30, 0]); // "80"
    const errno = t.calls.sock_getaddrinfo(4000, text.length, 4450, 3, 4400, 4060, 3, 4064);
    if (errno) return errno;
    return Array.from({ length: t.u32(4064) }, (_, i) => {
      const isSix = t.bytes(4700 + i * 12, 1)[0] === 2;
      return formatAddress(Uint8Array.from(t.bytes(4800 + i * 32 + (isSix ? 6 : 2), isSix ? 16 : 4)));
    });
  };
  const literals = {
    "127.1": "127.0.0.1", "0x7f000001": "127.0.0.1", "2130706433": "127.0.0.1", "0177.0.0.01": "127.0.0.1", "1.2.3": "1.2.0.3", "::1": "::1", "fe80::1%1": "fe80::1",
  };
  for (const [name, address] of Object.entries(literals)) assert.deepEqual(lookup(name), [address], name);
  const none = ["[::1]", "::1%lo", "-x", "a..b", ".", "1.2.3.4.5", "1.2.3.256", "08.1.1.1", "0x.1", "a b", "b\u00fccher.invalid", "*", "a".repeat(64), "a.".repeat(127) + "a"];
  for (const name of none) assert.equal(lookup(name), Errno.AI_NONAME, name);
  assert.deepEqual([lookup("127.0.0.1", { family: 2 }), lookup("::1", { family: 1 })], [Errno.AI_ADDRFAMILY, Errno.AI_ADDRFAMILY]);
  assert.deepEqual(lookup("127.0.0.1", { family: 2, flags: 16 }), ["::ffff:7f00:1"]);
  assert.deepEqual(lookup("::ffff:127.0.0.1", { family: 1 }), ["127.0.0.1"]);
  assert.deepEqual([lookup(""), lookup("", { flags: 1 }), lookup("", { family: 2 })], [["127.0.0.1", "::1"], ["0.0.0.0", "::"], ["::1"]]);
  assert.equal(t.lookups.length, 0);
  t.blocker.meanwhile = () => t.lookups.at(-1).done(null, ["10.0.0.7", "2001:db8::1"]);
  assert.deepEqual([lookup("a_b.test", { family: 2, flags: 16 }), lookup("a.test.", { family: 2, flags: 48 })],
    [["2001:db8::1"], ["2001:db8::1", "::ffff:a00:7"]]);
});

test("an overloaded node: a lookup is to be tried again, a connect lacks buffers", () => {
  const t = setUp();
  t.put(4000, new TextEncoder().encode("redis.test\0"));
  const lookup = (code) => {
    t.blocker.meanwhile = () => t.lookups.at(-1).done(code, null);
    return t.calls.sock_getaddrinfo(4000, 11, 4020, 0, 4040, 4060, 3, 4064);
  };
  assert.equal(lookup("overloaded"), Errno.AI_AGAIN);
  assert.equal(t.lookups.length, 1);
  assert.equal(t.calls.sock_open(1, 2, 0), 0);
  t.blocker.meanwhile = () => t.channels[0].handler.closed("overloaded");
  assert.equal(t.calls.sock_connect(t.u32(0), t.address([127, 0, 0, 1]), 80), Errno.NOBUFS);
});

test("lookups: what ends by itself is EAI_AGAIN, and every code is an errno", () => {
  const passing = ["connect_timeout", "connect_rate", "draining", "overloaded"];
  const others = { name_not_found: Errno.AI_NONAME, policy_denied: Errno.ACCES, denylisted: Errno.ACCES };
  for (const [, word] of codeTable) {
    const expected = passing.includes(word) ? Errno.AI_AGAIN : others[word] ?? Errno.AI_FAIL;
    assert.equal(lookupErrnoOf(word), expected, word);
  }
  assert.equal(lookupErrnoOf("invalid_argument"), Errno.AI_NONAME);
  assert.equal(lookupErrnoOf("connection_lost"), Errno.NETDOWN);
});

test("the code table is the README's, and a lost connection is an errno too", async () => {
  const readme = await readFile(new URL("../../wasi/README.md", import.meta.url), "utf8");
  for (const [code, word, errno] of codeTable) {
    const row = new RegExp(`^\\| ${code} \\| ${word} \\| (.*) \\|$`, "m").exec(readme);
    assert.ok(row, `${code} ${word} is in the table`);
    assert.ok(errno === 0 ? row[1].startsWith("none") : row[1].includes(`(${errno})`), `${word}: ${row[1]}`);
  }
  assert.equal(errnoOf("connection_lost", true), Errno.CONNRESET);
  assert.equal(errnoOf("connection_lost", false), Errno.NETDOWN);
});

test("every import that nobody provides is named", () => {
  // (module (import "wasi_snapshot_preview1" "sock_open" (func)) (import "env" "missing" (func)) (import "env" "other" (func)))
  const text = (value) => [value.length, ...Buffer.from(value)];
  const imports = [["wasi_snapshot_preview1", "sock_open"], ["env", "missing"], ["env", "other"]].flatMap(([space, name]) => [...text(space), ...text(name), 0, 0]);
  const module = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, imports.length + 1, 3, ...imports));
  assert.throws(() => checkImports(module, { wasi_snapshot_preview1: { sock_open() {} } }), (error) => {
    assert.ok(error instanceof MissingImports);
    assert.deepEqual(error.names, ["env.missing", "env.other"]);
    return true;
  });
});

test("the queue gives back what went in, whatever the sizes", () => {
  let seed = 12345;
  const random = (most) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % most;
  const queue = new ByteQueue();
  const expected = [];
  const seen = [];
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from({ length: random(40) }, () => random(256));
    queue.push(bytes);
    expected.push(...bytes);
    const views = [new Uint8Array(random(30)), new Uint8Array(random(30))];
    const peeked = queue.read(views, true);
    const again = views.map((view) => new Uint8Array(view.length));
    assert.equal(queue.read(again), peeked);
    assert.deepEqual(again, views);
    seen.push(...again.flatMap((view) => [...view]).slice(0, peeked));
  }
  assert.deepEqual(seen, expected.slice(0, seen.length));
  assert.equal(queue.length, expected.length - seen.length);
});

test("bytes that arrive one by one cost about their size", () => {
  const queue = new ByteQueue();
  const count = 200000;
  const before = process.memoryUsage();
  for (let i = 0; i < count; i++) queue.push(Uint8Array.of(i & 255));
  const after = process.memoryUsage();
  const cost = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
  assert.ok(cost < 32 * count, `${cost / count} bytes each`);
  const all = new Uint8Array(count);
  assert.equal(queue.read([all]), count);
  assert.ok(all.every((byte, i) => byte === (i & 255)));
});

test("the ring carries messages of any size around its end, and says when it is full", () => {
  const memory = Ring.memory(256);
  const writer = new Ring(memory);
  const reader = new Ring(memory);
  for (let i = 0; i < 500; i++) {
    const payload = Uint8Array.from({ length: (i * 7) % 100 }, (_, at) => i + at);
    assert.equal(writer.write(i % 256, 0x80000000 + i, payload.subarray(0, 3), payload.subarray(3)), true);
    assert.equal(reader.read((type, handle, got) => assert.deepEqual([type, handle, got], [i % 256, 0x80000000 + i, payload])), true);
  }
  assert.equal(reader.read(() => {}), false);
  while (writer.write(1, 1, new Uint8Array(50)));
  assert.equal(reader.takeWriterWaits(), true);
  assert.equal(reader.setIdle(), false);
});

test("guests/libc knows the services that the bridge knows, and no other", async () => {
  const source = await readFile(new URL("../../guests/libc/services.c", import.meta.url), "utf8");
  const rows = [...source.matchAll(/\{"([^"]+)", (\d+), (tcp|udp), "([^"]*)"\}/g)];
  assert.ok(rows.length > 200, `${rows.length} rows`);
  const ofLibc = { tcp: new Map(), udp: new Map() };
  for (const [, name, port, protocol, aliases] of rows) {
    for (const each of [name, ...aliases.split(" ").filter(Boolean)]) if (!ofLibc[protocol].has(each)) ofLibc[protocol].set(each, Number(port));
  }
  for (const protocol of ["tcp", "udp"]) assert.deepEqual(new Map([...ofLibc[protocol]].sort()), new Map([...services(protocol)].sort()));
});

// Guests that connect: real programs and small ones, against real servers.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { GUESTS } from "../session.js";

export const clients = {
  "redis-cli: PING, SET, GET, INFO, --bigkeys": async ({ run, peers }) => {
    const cli = (...args) => run("redis-cli", ["-h", "127.0.0.1", "-p", String(peers.redis.port), ...args]);
    assert.equal((await cli("FLUSHALL")).stdout, "OK\n");
    assert.equal((await cli("PING")).stdout, "PONG\n");
    assert.equal((await cli("SET", "greeting", "grüß dich")).stdout, "OK\n");
    assert.equal((await cli("GET", "greeting")).stdout, "grüß dich\n");
    assert.match((await cli("INFO", "server")).stdout, /redis_version:\d+\.\d+/);
    const keys = Array.from({ length: 500 }, (_, i) => [`key${i}`, "x".repeat(i)]).flat();
    assert.equal((await cli("MSET", ...keys)).stdout, "OK\n");
    const big = await cli("--bigkeys");
    assert.equal(big.exitCode, 0);
    assert.match(big.stdout, /Biggest string found so far '"key499"' with 499 bytes/);
    assert.match(big.stdout, /Sampled 501 keys/);
  },

  "redis-cli: commands on standard input": async ({ run, peers }) => {
    const result = await run("redis-cli", ["-h", "127.0.0.1", "-p", String(peers.redis.port)], { stdin: "SET a 1\nINCR a\nGET a\n" });
    assert.equal(result.stdout, "OK\n2\n2\n");
  },

  "redis-cli: a refused connection": async ({ run, peers }) => {
    const result = await run("redis-cli", ["-h", "127.0.0.1", "-p", String(peers.refusedPort), "PING"]);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /Could not connect to Redis at 127\.0\.0\.1:\d+: Connection refused/);
  },

  "a small C client resolves a name, connects and speaks": async ({ run, peers }) => {
    const result = await run("redis-ping", ["localhost", String(peers.redis.port), "PING"]);
    assert.deepEqual([result.exitCode, result.stdout, result.stderr], [0, "+PONG\r\n", ""]);
  },

  "a name that is not there": async ({ run }) => {
    const result = await run("redis-ping", ["no-such-name.invalid", "1", "PING"]);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /Name or service not known/);
  },

  "Embedded Swift": async ({ run, peers }) => {
    const result = await run("swift-redis-get", ["127.0.0.1", String(peers.redis.port), "swift", "embedded"]);
    assert.deepEqual([result.exitCode, result.stdout], [0, "$8\r\nembedded\r\n"]);
  },

  "TLS end to end: the node sees ciphertext": async ({ run, peers }) => {
    peers.wire.length = 0;
    const result = await run("tls-client", ["localhost", String(peers.tlsRelay.port), "/"]);
    assert.equal(result.exitCode, 0, result.stderr);
    assert.match(result.stdout, /HTTP\/1\.0 200 ok/i);
    const seen = Buffer.concat(peers.wire);
    assert.ok(seen.length > 1000, "the relay beside the server saw the traffic");
    assert.equal(seen.includes("HTTP/1.0"), false);
  },

  "UDP: a DNS query": async ({ run, peers }) => {
    const result = await run("dns-query", ["127.0.0.1", String(peers.dns.port), "web.test"]);
    assert.deepEqual([result.exitCode, result.stdout, result.stderr], [0, `from 127.0.0.1:${peers.dns.port}\nweb.test 192.0.2.7\n`, ""]);
  },

  "half-close": async ({ run, peers }) => {
    const result = await run("half-close", ["127.0.0.1", String(peers.echo.port), "said before the end"]);
    assert.deepEqual([result.exitCode, result.stdout], [0, "said before the end|end\n"]);
  },

  "an IPv6 target": async ({ run, peers }) => {
    const result = await run("half-close", ["::1", String(peers.echo6.port), "six"]);
    assert.deepEqual([result.exitCode, result.stdout], [0, "six|end\n"]);
  },

  "what POSIX programs rely on": async ({ run, peers }) => {
    const result = await run("socket-rules", ["127.0.0.1", String(peers.echo.port), String(peers.refusedPort)]);
    assert.deepEqual([result.exitCode, result.stdout], [0, "ok\n"]);
  },

  "guests/libc says what glibc says": async ({ run }) => {
    const native = execFileSync(join(GUESTS, "native/libc-check"), { encoding: "utf8", timeout: 10000 });
    const result = await run("libc-check");
    assert.deepEqual([result.exitCode, result.stdout.split("\n")], [0, native.split("\n")]);
  },

  "poll with a clock and two sockets": async ({ run, peers }) => {
    const result = await run("poll-check", ["127.0.0.1", String(peers.timed.port)]);
    assert.equal(result.stdout, [
      "timeout 0 in time", "ready 1 a=0 b=1", "read two", "ready 2", "read one", "read two", "writable 1 a=1",
      "events 1 userdata 3 error 8", "ended 1 in=1", "read ", "",
    ].join("\n"));
  },
};

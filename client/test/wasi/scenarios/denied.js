// What the policy decides, as guests see it.

import assert from "node:assert/strict";
import { startNode } from "../peers.js";

export const denied = {
  "a name rule lets a guest in that resolves and connects by address, and nobody else": async ({ run, peers }) => {
    const node = await startNode({
      policy: `[network]\ndeny = ["*"]\nallow = ["redis.test:${peers.redis.port}"]\n`,
      hosts: "127.0.0.1 redis.test\n127.0.0.1 other.test\n",
    });
    try {
      const ping = (host, port) => run("redis-ping", [host, String(port), "PING"], { url: node.url });
      const permitted = await ping("redis.test", peers.redis.port);
      assert.deepEqual([permitted.exitCode, permitted.stdout], [0, "+PONG\r\n"], permitted.stderr);
      // The same address and port, but this session never asked for the name.
      const byAddress = await ping("127.0.0.1", peers.redis.port);
      assert.deepEqual([byAddress.exitCode, byAddress.stderr], [1, "connect: Permission denied (errno 2)\n"]);
      const otherAddress = await ping("127.0.0.2", peers.redis.port);
      assert.equal(otherAddress.stderr, "connect: Permission denied (errno 2)\n");
      const otherPort = await ping("redis.test", peers.echo.port);
      assert.equal(otherPort.stderr, "connect: Permission denied (errno 2)\n");
      const otherName = await ping("other.test", peers.redis.port);
      assert.equal(otherName.stderr, "other.test: Permission denied\n");
      const datagram = await run("dns-query", ["127.0.0.1", String(peers.dns.port), "web.test"], { url: node.url });
      assert.equal(datagram.exitCode, 1);
      assert.match(datagram.stderr, /Permission denied \(errno 2\)/);
      const listener = await run("echo-server", ["127.0.0.1", "0"], { url: node.url });
      assert.match(listener.stderr, /Permission denied \(errno 2\)/);
    } finally {
      await node.end();
    }
  },
};

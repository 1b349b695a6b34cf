// The policy's decisions, as guests see them.

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
      // The same address and port, but this session never resolved the name.
      const byAddress = await ping("127.0.0.1", peers.redis.port);
      const said = (destination, words) => new RegExp(`^wasmnet: ${destination}:? .*${words}.* \\(policy_denied\\)\nconnect: Permission denied \\(errno 2\\)\n$`);
      assert.equal(byAddress.exitCode, 1);
      assert.match(byAddress.stderr, said(`127.0.0.1:${peers.redis.port}`, "adds it to allow in \\[network\\]"));
      assert.doesNotMatch(byAddress.stderr, /(127\.0\.0\.1:\d+).*\1/, "the node's words name the destination already");
      const otherAddress = await ping("127.0.0.2", peers.redis.port);
      assert.match(otherAddress.stderr, said(`127.0.0.2:${peers.redis.port}`, "allow"));
      const otherPort = await ping("redis.test", peers.echo.port);
      assert.match(otherPort.stderr, said(`127.0.0.1:${peers.echo.port}`, "allow"));
      const otherName = await ping("other.test", peers.redis.port);
      assert.match(otherName.stderr, /^wasmnet: other\.test:? .*allow in \[network\].* \(policy_denied\)\nother\.test: Permission denied\n$/);
      const datagram = await run("dns-query", ["127.0.0.1", String(peers.dns.port), "web.test"], { url: node.url });
      assert.equal(datagram.exitCode, 1);
      assert.match(datagram.stderr, /Permission denied \(errno 2\)/);
      const listener = await run("echo-server", ["127.0.0.1", "0"], { url: node.url });
      assert.match(listener.stderr, /^wasmnet: 127\.0\.0\.1:0 cannot be bound, .* sets bind_ports and bind_addresses in \[network\].*\n.*Permission denied \(errno 2\)/);
      // A listener that is required before the program starts: the program does not start, and the error has the words.
      await assert.rejects(run("echo-server", ["1"], { url: node.url, listen: [{ port: 0 }] }),
        /cannot listen on 127\.0\.0\.1 port 0 \(errno 2\): 127\.0\.0\.1:0 cannot be bound, .* sets bind_ports and bind_addresses in \[network\]/);
    } finally {
      await node.end();
    }
  },
};

// The real programs that guests connect to: the node, Redis, and our small servers on loopback.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const release = fileURLToPath(new URL("../../../.build/release/wasmnet-node", import.meta.url));
const NODE = process.env.WASMNET_NODE ?? release;

/** Starts a program and waits until `pattern` is in its output; the answer has pid, match, output() and end(). */
export async function start(command, args, pattern, { env = {}, timeoutMs = 20000 } = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  let output = "";
  const exited = once(child, "exit");
  const match = await new Promise((resolve, reject) => {
    const fail = (what) => reject(new Error(`${command} ${what}:\n${output.slice(-4000)}`));
    const timer = setTimeout(() => fail("did not start in time"), timeoutMs);
    const look = (text) => {
      output = (output + text).slice(-100000);
      const found = pattern.exec(output);
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", reject);
    exited.then(() => fail("ended"));
  });
  return {
    pid: child.pid,
    match,
    output: () => output,
    async end(signal = "SIGKILL") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

/**
 * Starts a node: on any port, without a policy or with the given one (TOML). `hosts` is its /etc/hosts, in a separate mount
 * namespace if possible. The result has `url` too.
 */
export async function startNode({ policy, hosts, port = 0, args = [] } = {}) {
  if (!existsSync(NODE)) throw new Error(`there is no node at ${NODE}: build it, or name it in WASMNET_NODE`);
  const folder = await mkdtemp(join(tmpdir(), "wasmnet-policy-"));
  let how = ["--no-policy"];
  if (policy) {
    await writeFile(join(folder, "policy.toml"), policy);
    how = ["--policy", join(folder, "policy.toml")];
  }
  let command = [NODE, "serve", "--port", String(port), "--no-admin", "--drain-timeout", "1", ...how, ...args];
  let restore = async () => {};
  if (hosts && spawnSync("unshare", ["--mount", "true"]).status !== 0) {
    // In a container that may not mount: the machine's own file, while the node runs.
    const original = await readFile("/etc/hosts", "utf8");
    await writeFile("/etc/hosts", `${original}\n${hosts}`);
    restore = () => writeFile("/etc/hosts", original);
  } else if (hosts) {
    await writeFile(join(folder, "hosts"), hosts);
    command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', join(folder, "hosts"), ...command];
  }
  const node = await start(command[0], command.slice(1), /ws:\/\/127\.0\.0\.1:(\d+)/);
  const real = Number(node.match[1]);
  return {
    ...node,
    port: real,
    url: `ws://127.0.0.1:${real}/`,
    async end(signal) {
      await node.end(signal);
      await restore();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A free port of the loopback: taken and released. Below the ephemeral ports, of which a connection could take one meanwhile. */
export async function freePort(host = "127.0.0.1") {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 20000);
    const server = createServer().listen(port, host);
    try {
      await once(server, "listening");
    } catch (error) {
      if (error.code === "EADDRINUSE") continue;
      throw error;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

export async function startRedis() {
  const folder = await mkdtemp(join(tmpdir(), "wasmnet-redis-"));
  const port = await freePort();
  const redis = await start("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder], /Ready to accept connections/);
  return {
    ...redis,
    port,
    async end() {
      await redis.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A TCP server on loopback: `onsocket(socket)` for each connection. The answer has port and end(). */
export async function startTcp(onsocket, host = "127.0.0.1") {
  const sockets = new Set();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onsocket(socket);
  }).listen(0, host);
  await once(server, "listening");
  return {
    port: server.address().port,
    /** Connections that are open. */
    get connections() { return sockets.size; },
    /** Connections so far: open ones may be earlier ones that are just ending. */
    get accepted() { return accepted; },
    async end() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

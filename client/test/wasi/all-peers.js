// Every server that the guests connect to, started once for all modes.

import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { GUESTS } from "./session.js";
import { freePort, start, startNode, startRedis, startTcp } from "./peers.js";
import { startWalkPeers } from "./walk-peers.js";
import { startBulk, startEcho, startTimed } from "./bulk-peer.js";

export async function startPeers() {
  const started = await Promise.allSettled([
    startNode(), startRedis(), startEcho("127.0.0.1"), startEcho("::1"), startBulk(), startTimed(), startDns(), startTls(),
    startWalkPeers(),
  ]);
  const failed = started.find(({ status }) => status === "rejected");
  if (failed) {
    // Servers that did start must not outlive this.
    for (const { value } of started) await value?.end();
    throw failed.reason;
  }
  const [node, redis, echo, echo6, bulk, timed, dns, tls, walk] = started.map(({ value }) => value);
  // Between the node and the TLS server: the node sees exactly this data.
  const wire = [];
  const tlsRelay = await startTcp((socket) => {
    const onward = connect(tls.port, "127.0.0.1");
    onward.on("error", () => socket.destroy());
    socket.on("data", (bytes) => wire.push(bytes)).pipe(onward);
    onward.on("data", (bytes) => wire.push(bytes)).pipe(socket);
  });
  const all = [tlsRelay, node, redis, echo, echo6, bulk, timed, dns, tls, walk];
  return {
    node, redis, echo, echo6, bulk, timed, dns, tls, tlsRelay, walk, wire, freePort,
    // Not an ephemeral port, which another program may take meanwhile.
    refusedPort: 1,
    async end() {
      for (const peer of all) await peer.end();
    },
  };
}

async function startDns() {
  const port = await freePort();
  const dns = await start("dnsmasq", [
    "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--log-facility=-",
    "--bind-interfaces", "--listen-address=127.0.0.1", `--port=${port}`, "--address=/web.test/192.0.2.7",
  ], /started, version/);
  return { ...dns, port };
}

async function startTls() {
  const port = await freePort();
  const samples = join(GUESTS, "src/bearssl/samples");
  await mkdir(samples, { recursive: true });
  const tls = await start("openssl", [
    "s_server", "-www", "-accept", `127.0.0.1:${port}`, "-cert", join(samples, "cert-ee-ec.pem"), "-key", join(samples, "key-ee-ec.pem"),
    "-cert_chain", join(samples, "cert-ica-ec.pem"),
  ], /ACCEPT/);
  return { ...tls, port };
}

// The servers for programs from Debian, on loopback: most are Debian's too.

import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GUESTS } from "../session.js";
import { freePort, start, startNode, startTcp } from "../peers.js";

const sample = (name) => readFileSync(join(GUESTS, "src/bearssl/samples", name), "utf8");

/** The answer to /big. */
export const big = "0123456789abcde\n".repeat(128 * 1024);

export async function startProgramPeers() {
  const started = await Promise.allSettled([startNode(), startHttp(), startHttps(), startBroker(), startDns(), startIrc(), startTcp((socket) => {
    socket.once("data", (data) => socket.end(`heard ${data}`));
  })]);
  const end = async () => {
    for (const { value } of started) await value?.end();
  };
  const failed = started.find(({ status }) => status === "rejected");
  if (failed) {
    await end();
    throw failed.reason;
  }
  const [node, http, https, broker, dns, irc, hearer] = started.map(({ value }) => value);
  // The root that signed the server's certificate, and another.
  return { node, http, https, broker, dns, irc, hearer, authority: sample("cert-root-ec.pem"), otherAuthority: sample("cert-root-rsa.pem"), end };
}

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  if (request.url === "/moved") response.writeHead(302, { Location: "/hello" }).end();
  else if (request.url === "/big") response.end(big);
  else if (request.method === "POST") response.end(Buffer.concat(parts).toString().toUpperCase());
  else if (request.url === "/hello") response.end(`hello ${request.headers["user-agent"]}\n`);
  else response.writeHead(404).end("nothing here\n");
}

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port,
    async end() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const startHttp = () => listening(createServer(answer));

const startHttps = () => listening(createTlsServer({ cert: sample("cert-ee-ec.pem") + sample("cert-ica-ec.pem"), key: sample("key-ee-ec.pem") }, answer));

async function startBroker() {
  const port = await freePort();
  return { port, ...await start("mosquitto", ["-p", String(port)], /mosquitto version \S+ running/) };
}

async function startDns() {
  const port = await freePort();
  return { port, ...await start("dnsmasq", [
    "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--log-facility=-",
    "--bind-interfaces", "--listen-address=127.0.0.1", `--port=${port}`, "--address=/web.test/192.0.2.7", "--mx-host=web.test,mail.test,10",
    `--txt-record=web.test,${"x".repeat(200)},${"y".repeat(200)},${"z".repeat(200)}`,
  ], /started, version/) };
}

async function startIrc() {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "wasmnet-irc-"));
  const file = join(folder, "ngircd.conf");
  await writeFile(file, `[Global]\nName = irc.test\nInfo = test\nListen = 127.0.0.1\nPorts = ${port}\nServerUID = root\n[Options]\nDNS = no\nIdent = no\nPAM = no\n`);
  const server = await start("ngircd", ["-n", "-f", file], /ready\./);
  return {
    port,
    async end() {
      await server.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

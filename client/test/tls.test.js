// TLS by the node for a stream.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { connectClient, echo, nodeOfFile, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const text = (bytes) => Buffer.from(bytes).toString();
const directory = mkdtempSync(join(tmpdir(), "wasmnet-ca-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const authority = makeAuthority(directory);
const node = nodeOfFile({ args: ["--ca-file", authority.certificate] });

/** An authority and its certificate for localhost. */
function makeAuthority(directory) {
  const path = (name) => join(directory, name);
  const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path("ca.key"),
    "-out", path("ca.pem"), "-days", "2", "-subj", "/CN=test authority");
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path("leaf.key"),
    "-out", path("leaf.csr"), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost");
  openssl("x509", "-req", "-in", path("leaf.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
    "-out", path("leaf.pem"), "-days", "2", "-copy_extensions", "copy");
  return { certificate: path("ca.pem"), key: readFileSync(path("leaf.key")), cert: readFileSync(path("leaf.pem")) };
}

test("TLS that the node speaks", LIMIT, async (t) => {
  const { key, cert } = authority;
  const target = await startTarget(t, echo, { host: "localhost", createServer: (options, on) => tls.createServer({ ...options, key, cert }, on) });
  const client = connectClient(t, node.url);
  const connection = client.open({ hostname: "localhost", port: target.port }, { tls: true });
  await connection.opened;
  const writer = connection.writable.getWriter();
  await writer.write("secret");
  const reader = connection.readable.getReader();
  assert.equal(text((await reader.read()).value), "secret");
  await connection.close();

  const id = await client.connectTls("localhost", target.port);
  client.send(id, "old");
  const data = await within(5000, new Promise((resolve) => client.onData(id, resolve)), "data");
  assert.equal(text(data), "old");

  // Its name is not 127.0.0.1 (for a session that has not looked it up), and a plain server does not use TLS.
  await assert.rejects(connectClient(t, node.url).connectTls("127.0.0.1", target.port), { code: "tls_failed" });
  const plain = await startTarget(t, (socket) => socket.end("no TLS here\r\n"));
  await assert.rejects(client.open(`localhost:${plain.port}`, { transport: "tls" }).opened, { code: "tls_failed" });
});

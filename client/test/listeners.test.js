// Listeners as streams of connections.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { connectClient, nodeOfFile, readAll, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const text = (bytes) => Buffer.from(bytes).toString();
const node = nodeOfFile();

test("a listener is iterated, and leaving the loop closes it", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const listener = client.listenOn({ hostname: "127.0.0.1", port: 0 });
  const { localPort } = await listener.opened;
  const dial = async (word) => {
    const peer = net.connect(localPort, "127.0.0.1");
    peer.end(word);
    const parts = [];
    for await (const part of peer) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const answers = Promise.all(["one", "two", "three"].map(dial));
  let count = 0;
  for await (const connection of listener) {
    const { remoteAddress, remotePort } = await within(5000, connection.opened, "an accepted connection");
    assert.equal(remoteAddress, "127.0.0.1");
    assert.ok(remotePort > 0);
    const writer = connection.writable.getWriter();
    await writer.write(`<${text(await readAll(connection.readable))}>`);
    await writer.close();
    if (++count === 3) break;
  }
  assert.deepEqual((await answers).sort(), ["<one>", "<three>", "<two>"]);
  assert.equal((await listener.closed).code, "client_closed");
  assert.equal(await listener.accept(), null);
  await assert.rejects(dial("late"), { code: "ECONNREFUSED" });
});

test("accept waits, and a closed listener answers null to who waits", LIMIT, async (t) => {
  const listener = connectClient(t, node.url).listenOn("127.0.0.1:0");
  await listener.opened;
  const [first, second] = [listener.accept(), listener.accept()];
  await listener.close();
  assert.deepEqual([await first, await second], [null, null]);
  const denied = connectClient(t, node.url).listenOn("127.0.0.1:80");
  await assert.rejects(denied.accept(), { code: "policy_denied" });
  await assert.rejects(denied.opened, { code: "policy_denied" });
});

// Streams that are refused, aborted by a signal or given up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient, echo, nodeOfFile, startTarget, within } from "./support.js";

const LIMIT = { timeout: 60000 };
const node = nodeOfFile();
/** A closed port, which no connection can get. */
const NOBODY = 1;

test("failures to open reject opened and closed and error the streams", LIMIT, async (t) => {
  const client = connectClient(t, node.url);
  const denied = client.open("192.0.2.1:80");
  for (const promise of [denied.opened, denied.closed, denied.readable.getReader().read(), denied.writable.getWriter().closed]) {
    await assert.rejects(promise, { code: "policy_denied" });
  }
  await assert.rejects(client.open({ hostname: "127.0.0.1", port: NOBODY }).opened, { code: "refused" });
  await assert.rejects(client.open("no-such-name.invalid:80").opened, ({ code }) => ["policy_denied", "name_not_found"].includes(code));
});

test("what is written to a target that is refused rejects, and so does the close behind it", LIMIT, async (t) => {
  for (const options of [{}, { protocol: "v1" }]) {
    const client = connectClient(t, node.url, options);
    for (const [to, code] of [[`127.0.0.1:${NOBODY}`, "refused"], ["192.0.2.1:80", "policy_denied"]]) {
      const written = client.open(to).writable.getWriter();
      await assert.rejects(written.write("GET / HTTP/1.0\r\n\r\n"), { code });
      const empty = client.open(to).writable.getWriter();
      await assert.rejects(empty.write(new Uint8Array()), { code });
      await assert.rejects(client.open(to).writable.close(), { code });
      await assert.rejects(new Blob(["x"]).stream().pipeTo(client.open(to).writable), { code });
    }
    await assert.rejects(client.openUdp("192.0.2.1:53").writable.getWriter().write("x"), { code: "policy_denied" });
    await assert.rejects(client.listenUdp("192.0.2.1:53").writable.close(), { code: "policy_denied" });
  }
});

test("a reason to abort that is no error, and falsy, fails what is read all the same", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const client = connectClient(t, node.url);
  for (const reason of [null, 0, "", false]) {
    const controller = new AbortController();
    const connection = client.open(`127.0.0.1:${target.port}`, { signal: controller.signal });
    await connection.opened;
    const pending = connection.readable.getReader().read();
    controller.abort(reason);
    for (const promise of [pending, connection.closed]) {
      assert.deepEqual(await promise.then(() => "resolved", (rejected) => [rejected]), [reason]);
    }
  }
});

test("abort before, while and after opening, with the program's own reason", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const client = connectClient(t, node.url);
  await client.ready();
  const reason = new Error("no longer wanted");
  const to = `127.0.0.1:${target.port}`;

  const before = client.open(to, { signal: AbortSignal.abort(reason) });
  await assert.rejects(before.opened, reason);

  const controller = new AbortController();
  const during = client.open(to, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(during.opened, reason);
  await assert.rejects(during.readable.getReader().read(), reason);

  const late = new AbortController();
  const after = client.open(to, { signal: late.signal });
  await after.opened;
  const pending = after.readable.getReader().read();
  late.abort(reason);
  await assert.rejects(pending, reason);
  await assert.rejects(after.writable.getWriter().write("x"), reason);
  await assert.rejects(after.closed, reason);

  const lookup = new AbortController();
  const resolving = client.resolve("localhost", { signal: lookup.signal });
  lookup.abort(reason);
  await assert.rejects(resolving, reason);
  await assert.rejects(client.resolve("localhost", { signal: AbortSignal.abort(reason) }), reason);

  // Aborting after the end has no effect.
  const done = client.open(to, { signal: controller.signal.aborted ? undefined : controller.signal });
  await done.opened;
  await done.close();
  assert.equal(client.openSockets.length, 0);
});

test("an aborted writable resets", LIMIT, async (t) => {
  const target = await startTarget(t, (socket) => socket.resume());
  const connection = connectClient(t, node.url).open(`127.0.0.1:${target.port}`);
  await connection.opened;
  await connection.writable.abort(new Error("stop"));
  assert.equal((await connection.closed).code, "client_closed");
});

test("a write of what is no data is the last: it resets, and everything settles", LIMIT, async (t) => {
  const target = await startTarget(t, echo);
  const client = connectClient(t, node.url);
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  for (const chunk of [42, null, {}, detached]) {
    const connection = client.open(`127.0.0.1:${target.port}`);
    await connection.opened;
    const writer = connection.writable.getWriter();
    await writer.write("data");
    const socket = await target.connection();
    const gone = new Promise((resolve) => socket.once("close", resolve));
    await assert.rejects(writer.write(chunk), { name: "WasmnetError", code: "invalid_argument" });
    await assert.rejects(writer.closed, { code: "invalid_argument" });
    assert.equal((await within(5000, connection.closed, "closed")).code, "client_closed");
    for await (const echoed of connection.readable) assert.equal(Buffer.from(echoed).toString(), "data");
    await within(5000, gone, "the target's end");
  }
  const piped = client.open(`127.0.0.1:${target.port}`);
  await assert.rejects(new ReadableStream({ start: (controller) => controller.enqueue(42) }).pipeTo(piped.writable), { code: "invalid_argument" });
  await within(5000, piped.closed, "closed");
  assert.deepEqual(client.openSockets, []);
});

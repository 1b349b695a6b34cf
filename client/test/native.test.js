// With Node's own WebSocket, which has the browsers' interface: no option, no package.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { echo, startNode, startTarget } from "./support.js";

const PROGRAM = `
  import { WasmnetClient } from ${JSON.stringify(new URL("../wasmnet-client.js", import.meta.url).href)};
  const [url, port] = process.argv.slice(1);
  for (const options of [{}, { protocol: "v1" }, { protocol: "v1", binary: true }]) {
    const client = new WasmnetClient(url, options);
    const id = await client.connect("127.0.0.1", Number(port));
    client.send(id, "hello");
    console.log(Buffer.from(await new Promise((resolve) => client.onData(id, resolve))).toString(), client.version);
    client.disconnect();
  }
  const client = new WasmnetClient(url);
  const connection = client.open("127.0.0.1:" + port);
  const writer = connection.writable.getWriter();
  writer.write(new Uint8Array(3000000)).then(() => writer.close());
  let count = 0;
  for await (const chunk of connection.readable) count += chunk.length;
  console.log(count, (await connection.closed).code);
  client.disconnect();
`;

// Behind a flag from 20.10 on, without one from 22 on, where the flag still exists.
const hasOwn = process.allowedNodeEnvironmentFlags.has("--experimental-websocket");

test("Node's own WebSocket", { timeout: 60000, skip: !hasOwn && "this Node has none" }, async (t) => {
  const node = await startNode(t);
  const target = await startTarget(t, echo);
  const { stdout } = await promisify(execFile)(process.execPath,
    ["--experimental-websocket", "--no-warnings", "--input-type=module", "-e", PROGRAM, node.url, String(target.port)], { timeout: 50000 });
  assert.deepEqual(stdout.trim().split("\n"), ["hello 2", "hello 1", "hello 1", "3000000 normal"]);
});

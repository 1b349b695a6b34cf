// The playground page in real browsers, as a person uses it, with the programs that it offers.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import net from "node:net";
import { once } from "node:events";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { echo, startNode, startTarget } from "../support.js";
import { environment, byteCount, listeners, shellWords } from "../../playground/words.js";
import { BROWSERS, openHarness } from "./harness.js";

before(() => execFileSync("make", ["-C", fileURLToPath(new URL("../../playground", import.meta.url))], { stdio: "pipe" }), { timeout: 120000 });

async function closedPort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// Firefox has no promise integration yet; shared memory needs isolation.
const MODES = { chromium: ["jspi", "sab"], firefox: ["sab"] };

for (const browser of BROWSERS) {
  for (const strategy of MODES[browser]) {
    test(`the playground in ${browser}, ${strategy}`, { timeout: 120000 }, async (t) => {
      const node = await startNode(t);
      const target = await startTarget(t, echo);
      const refusedPort = await closedPort();
      const harness = await openHarness({ isolated: strategy === "sab" });
      t.after(() => harness.close());
      const seen = await harness.run(browser, "/client/test/browser/playground.html", {
        params: { url: node.url, echoPort: target.port, refusedPort, strategy },
      });
      assert.deepEqual(seen.guests.slice(0, 2), ["netcat", "echo-server"]);
      assert.equal(seen.runIsDisabled, true);
      assert.match(seen.node, /^connected, v2/);
      assert.equal(seen.count, "1 open");
      assert.match(seen.open[0], new RegExp(`^127\\.0\\.0\\.1:${target.port} ?TCP`));
      assert.deepEqual(seen.open.slice(1), ["20 B", "20 B", "open"]);
      assert.deepEqual(seen.ended.slice(1, 3), ["20 B", "20 B"]);
      assert.match(seen.ended[3], /^(normal|client_closed)$/);
      assert.equal(seen.countAfter, "0 open");
      assert.match(seen.refused, /connect: .*refused/i);
      assert.match(seen.refused, /ended with 1/);
      assert.deepEqual(seen.refusedRow.slice(1), ["0 B", "0 B", "refused"]);
      assert.match(seen.problem, /open "/);
      assert.match(seen.address, /^the url must be absolute, with ws:\/\/ or wss:\/\/, without a fragment, not localhost:9300$/);
      assert.match(seen.denied, /^127\.0\.0\.1:80 is not in bind_ports\. .* sets bind_ports and bind_addresses in \[network\] of its policy\. \(policy_denied\)$/m);
      assert.match(seen.odd, /^odd\.wasm is not WebAssembly/);
      assert.match(seen.listener[0], /^127\.0\.0\.1:\d+ ?listens/);
      // With its own thread the client ends with the program; else it reports how the socket ended.
      assert.deepEqual(seen.stopped, [strategy === "jspi" ? "program ended" : "client_closed", "0 open"]);
    });
  }
}

test("arguments, environment, listeners, byte counts", () => {
  assert.deepEqual(shellWords(`a  b 'c d' "e \\" f" g\\ h "" x"y"z`), ["a", "b", "c d", 'e " f', "g h", "", "xyz"]);
  assert.deepEqual(shellWords(String.raw`"GET /\r\n" 'a\nb'`), ["GET /\r\n", String.raw`a\nb`]);
  assert.deepEqual(shellWords("  "), []);
  assert.throws(() => shellWords("'a"), SyntaxError);
  assert.deepEqual(environment("A=1\n\n B=x=y "), { A: "1", B: "x=y" });
  assert.throws(() => environment("novalue"), SyntaxError);
  assert.deepEqual(listeners("127.0.0.1:80, [::1]:0"), [{ host: "127.0.0.1", port: 80 }, { host: "::1", port: 0 }]);
  assert.deepEqual(listeners(""), []);
  for (const bad of ["80", "a:b", "a:99999", "::1:80"]) assert.throws(() => listeners(bad), SyntaxError);
  assert.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 2 ** 31].map(byteCount), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "150 KiB", "2.0 GiB"]);
});

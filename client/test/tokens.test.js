// Tokens: how they are sent, and that for any token, option or callback every promise is settled and no error shows a token.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { bearer } from "../lib/admission.js";
import { WasmnetClient, WasmnetError } from "../wasmnet-client.js";
import { fake, startFakeNode } from "./fake-node.js";
import { LOOPBACK, connectClient, next, startNode, within } from "./support.js";
import { WebSocket } from "./ws.js";

const LIMIT = { timeout: 30000 };
const ODD = "s3cret/t0ken+in=base64==";

test("a token that is no subprotocol's name travels in base64url, any other as it is", () => {
  for (const [token, name] of [
    ["abc", "wasmnet.bearer.abc"], ["a.b-c_d~!#$%&'*+^`|", "wasmnet.bearer.a.b-c_d~!#$%&'*+^`|"],
    ["a/b==", "wasmnet.bearer64.YS9iPT0"], ["a,b", "wasmnet.bearer64.YSxi"], ["~~~?", "wasmnet.bearer64.fn5-Pw"], ["???", "wasmnet.bearer64.Pz8_"],
  ]) assert.equal(bearer(token), name);
});

/** A real node that knows one token. */
async function guarded(t, token) {
  const directory = mkdtempSync(join(tmpdir(), "wasmnet-token-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "tokens");
  writeFileSync(file, execFileSync(process.env.WASMNET_NODE, ["token", "hash", "bob"], { encoding: "utf8", input: `${token}\n` }));
  return startNode(t, { policy: `${LOOPBACK}\n[clients]\nidentify_by = "token"\nrequire_token = true\n`, args: ["--token-file", file, "--log-level", "trace"] });
}

test("a node lets in who has such a token, and shows it nowhere", LIMIT, async (t) => {
  const node = await guarded(t, ODD);
  for (const protocol of ["v2", "v1"]) {
    const client = connectClient(t, node.url, { protocol, token: async () => ODD });
    await client.ready();
    assert.equal(client.ws.protocol, `wasmnet.${protocol}`);
    await assert.rejects(connectClient(t, node.url, { protocol, token: `${ODD}=` }).ready(), (error) => {
      assert.equal(error.code, "not_admitted");
      assert.match(error.message, /^the node at ws:\/\/127\.0\.0\.1:\d+\/ did not let this client in: it needs a valid token/);
      assert.ok(!inspect(error).includes("s3cret"));
      return true;
    });
  }
  const encoded = Buffer.from(ODD).toString("base64url").slice(0, 12);
  assert.ok(!node.output().includes("s3cret") && !node.output().includes(encoded), "the node's log has no token");
});

const FAILED = "the token function failed";
const NOT = `${FAILED}: a token must be 1 to 8192 visible ASCII characters, not `;
/** The token functions, and the error's text. */
const TOKEN_FUNCTIONS = {
  "throws": [() => { throw new Error("s3cret is bad"); }, FAILED],
  "rejects": [() => Promise.reject(new Error("s3cret is bad")), FAILED],
  "throws nothing": [() => { throw undefined; }, FAILED],
  "throws what has no words": [() => { throw Object.create(null); }, FAILED],
  "throws what throws": [() => { throw { get message() { throw new Error("again"); } }; }, FAILED],
  "gives undefined": [() => undefined, `${NOT}undefined`],
  "gives an empty string": [async () => "", `${NOT}0`],
  "gives a number": [() => 5, `${NOT}number`],
  "gives a line's end": [() => "s3cret\r\nX: y", `${NOT}others`],
  "gives too much": [() => "s".repeat(8193), `${NOT}8193`],
};

test("why a token function failed is the error's cause, and not in its words", LIMIT, async (t) => {
  const cause = new Error("s3cret is bad");
  const client = connectClient(t, "ws://127.0.0.1:9/", { token: () => { throw cause; } });
  await assert.rejects(client.ready(), (error) => error.cause === cause && !error.message.includes("s3cret") && !error.stack.includes("s3cret"));
  const odd = connectClient(t, "ws://127.0.0.1:9/", { token: () => "s3cret\n" });
  await assert.rejects(odd.ready(), ({ cause: { code, message } }) => code === "invalid_argument" && /^a token must be 1 to 8192/.test(message));
  // One that the program created itself can contain a token all the same.
  const own = connectClient(t, "ws://127.0.0.1:9/", { token: () => { throw new WasmnetError("invalid_argument", "s3cret"); } });
  await assert.rejects(own.ready(), ({ message, cause: { code } }) => message === "the token function failed" && code === "invalid_argument");
});

for (const [what, [token, message]] of Object.entries(TOKEN_FUNCTIONS)) {
  test(`a token function that ${what} ends every call, at the start and at a reconnect`, LIMIT, async (t) => {
    const node = await fake(t);
    const client = connectClient(t, node.url, { token });
    const gone = next(client, "disconnected");
    for (const call of [client.ready(), client.connect("a", 1), client.resolve("a"), client.open("a:1").opened]) {
      await assert.rejects(call, { name: "WasmnetError", code: "not_admitted", message });
    }
    assert.equal((await gone).retryInMs, null);
    await assert.rejects(client.ready(), { code: "not_admitted" }, "a later call asks again");
    assert.equal(node.peers.length, 0);

    let isFirst = true;
    const later = connectClient(t, node.url, {
      reconnect: { baseMs: 1 }, openTimeoutMs: 2000,
      token: () => { if (isFirst) { isFirst = false; return "abc"; } return token(); },
    });
    await later.ready();
    node.peers[0].ws.terminate();
    assert.equal((await next(later, "disconnected")).error.code, "connection_lost");
    const { error, retryInMs } = await next(later, "disconnected");
    assert.equal(error.code, "not_admitted");
    assert.ok(retryInMs !== null, "a token may be had the next time");
    const waiting = later.connect("a", 1);
    later.disconnect();
    await assert.rejects(waiting, { code: "client_closed" });
  });
}

test("a token function that never answers: calls end in their time, and it is asked again", LIMIT, async (t) => {
  const node = await fake(t);
  let asked = 0;
  const client = connectClient(t, node.url, { openTimeoutMs: 50, reconnect: { baseMs: 1, capMs: 1 }, token: () => new Promise(() => { asked++; }) });
  for (const call of [client.ready(), client.connect("a", 1), client.resolve("a")]) await assert.rejects(call, { code: "connect_timeout" });
  while (asked < 3) await next(client, "disconnected");
  assert.equal(node.peers.length, 0);
});

/** Like a browser's: the message names the offer. */
class Refusing {
  constructor(url, protocols) { throw new SyntaxError(`The subprotocol '${protocols?.at(-1)}' of ${url} is invalid`); }
}

test("a WebSocket that cannot be made ends every call, and its words with the token are not shown", LIMIT, async (t) => {
  for (const [url, options] of [
    ["ws://127.0.0.1:9/?token=s3cret", {}], ["ws://amy:s3cret@127.0.0.1:9/", {}], ["ws://127.0.0.1:9/", { token: "s3cret" }],
    ["ws://127.0.0.1:9/", { token: async () => "s3cret/=" }],
  ]) {
    const client = new WasmnetClient(url, { ...options, WebSocket: Refusing });
    t.after(() => client.disconnect());
    const gone = next(client, "disconnected");
    for (const call of [client.ready(), client.connect("a", 1), client.resolve("a"), client.listenOn("127.0.0.1:0").accept()]) {
      await assert.rejects(call, (error) => {
        assert.equal(error.code, "invalid_argument");
        assert.match(error.message, /^no WebSocket to ws:\/\/127\.0\.0\.1:9\/(\?…)? can be made here \(SyntaxError\)$/);
        assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes("s3cret"));
        return true;
      });
    }
    assert.equal((await gone).retryInMs, null);
  }
});

test("a WebSocket that cannot be made at a reconnect is tried again, and disturbs nothing", LIMIT, async (t) => {
  const node = await fake(t);
  let fails = 0;
  class Moody extends WebSocket {
    constructor(...given) {
      if (fails-- > 0) throw new Error("not now");
      super(...given);
    }
  }
  const client = connectClient(t, node.url, { WebSocket: Moody, reconnect: { baseMs: 1, capMs: 5 }, token: async () => "abc" });
  await client.ready();
  fails = 2;
  const back = next(client, "connected");
  node.peers[0].ws.terminate();
  const errors = [];
  client.addEventListener("disconnected", ({ error }) => errors.push(error.code));
  await back;
  assert.deepEqual(errors, ["connection_lost", "invalid_argument", "invalid_argument"]);
});

test("a WebSocket that throws as it sends ends the connection, and all that hangs on it", LIMIT, async (t) => {
  const node = await fake(t);
  class Broken extends WebSocket {
    send() { throw new Error("no"); }
  }
  const client = connectClient(t, node.url, { WebSocket: Broken, reconnect: false });
  for (const call of [client.connect("a", 1), client.resolve("a"), client.open("a:1").opened]) {
    await assert.rejects(within(5000, call, "a call"), { code: "connection_lost" });
  }
});

test("what a program's listeners throw goes to the program, and everybody else is served", LIMIT, async (t) => {
  const node = await startFakeNode();
  const thrown = [];
  const uncaught = (error) => thrown.push(error.message);
  process.setUncaughtExceptionCaptureCallback(uncaught);
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const client = connectClient(t, node.url, { reconnect: false });
  for (const type of ["connected", "disconnected", "socketopen", "socketclose"]) {
    client.addEventListener(type, () => { throw new Error(type); });
  }
  await client.ready();
  const ended = ["one", "two"].map((name) => new Promise((resolve) => client.socket("tcp", "a", 1, {
    onclosed: () => { resolve(); throw new Error(name); },
  })));
  const lookup = client.resolve("a");
  await node.close();
  await within(5000, Promise.all(ended), "both ends");
  await assert.rejects(lookup, { code: "connection_lost" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(thrown.sort(), ["connected", "disconnected", "one", "socketclose", "socketclose", "two"]);
});

// Cases that only a page sees: handshakes that fail without a reason, the browser's own WebSocket errors, network and page events.

import { WasmnetClient } from "/client/wasmnet-client.js";
import { report, step } from "./page.js";

const codeOf = (promise) => promise.then(() => "none", ({ code }) => code);
const next = (client, type) => new Promise((resolve) => client.addEventListener(type, resolve, { once: true }));

async function spoken(url, options) {
  const client = new WasmnetClient(url, options);
  await client.ready();
  const { version } = client;
  client.disconnect();
  return version;
}

/** The browser itself rejects the name, with a message that shows all of it. */
class Refusing extends WebSocket {
  constructor(url, protocols = []) { super(url, [...protocols, `${protocols.at(-1)} /`]); }
}

async function refused() {
  const client = new WasmnetClient("ws://127.0.0.1:9/?token=s3cret", { WebSocket: Refusing, token: async () => "s3cret" });
  const error = await client.ready().catch((caught) => caught);
  client.disconnect();
  return { code: error.code, message: error.message };
}

/** A silent node, and the browser's event that the network may have changed: the client probes without waiting for heartbeats. */
async function silent({ silentUrl, pauseUrl }, type, target = globalThis) {
  const client = new WasmnetClient(silentUrl, { reconnect: false });
  // This answer is the node's last message: one after the event would be a sign of life.
  await client.resolve("localhost");
  await fetch(pauseUrl, { method: "POST" });
  const opening = codeOf(client.open("127.0.0.1:9").opened);
  target.dispatchEvent(new Event(type));
  const { error } = await next(client, "disconnected");
  return [error.code, await opening];
}

/** Online again, or awake: the attempt that is due much later is made now. */
async function again({ lateUrl, startUrl }, type, target = globalThis) {
  const client = new WasmnetClient(lateUrl, { reconnect: { baseMs: 2 ** 31 - 1, capMs: 2 ** 31 - 1 } });
  const { retryInMs } = await next(client, "disconnected");
  await fetch(startUrl, { method: "POST" });
  target.dispatchEvent(new Event(type));
  await client.ready();
  client.disconnect();
  return retryInMs !== null;
}

/** A page that is left ends its connection, and opens another when it returns from the browser's cache. */
function aside({ url }) {
  // A browser that caches no page with a WebSocket reloads it.
  if (performance.getEntriesByType("navigation")[0].type === "back_forward") return ["loaded anew"];
  const seen = [];
  const client = new WasmnetClient(url);
  client.addEventListener("connected", ({ isReconnect }) => seen.push(isReconnect ? "again" : "connected"));
  client.addEventListener("disconnected", ({ error }) => seen.push(error.message));
  return client.ready().then(() => new Promise((resolve) => {
    addEventListener("pageshow", async () => {
      await client.ready();
      resolve([...seen]);
      client.disconnect();
    });
    // When this page is left, the next one goes back to it.
    location.href = "/client/test/browser/back.html";
  }));
}

report(async (params) => {
  if (params.aside) return aside(params);
  const outcome = {};
  step("a handshake that is cut");
  outcome.cut = await spoken(params.cutUrl);
  step("two that are cut");
  outcome.cutTwice = await spoken(params.cutTwiceUrl);
  step("an old node");
  outcome.old = await spoken(params.oldUrl);
  step("a token that is no subprotocol's name");
  outcome.token = await spoken(params.tokenUrl, { token: params.token });
  outcome.wrongToken = await codeOf(new WasmnetClient(params.tokenUrl, { token: `${params.token}=` }).ready());
  step("an origin that is not let in");
  outcome.origin = (await new WasmnetClient(params.closedUrl).ready().catch((error) => error)).message;
  step("nobody there");
  outcome.nobody = (await new WasmnetClient(params.nobodyUrl, { reconnect: false }).ready().catch((error) => error)).message;
  step("a WebSocket that cannot be made");
  outcome.refused = await refused();
  step("offline");
  outcome.offline = await silent(params.offline, "offline");
  step("online");
  outcome.online = await again(params.online, "online");
  // A frozen page gets this event on its document, and it does not bubble.
  step("resume");
  outcome.resume = [...await silent(params.resume, "resume", document), await again(params.resume, "resume", document)];
  return outcome;
});

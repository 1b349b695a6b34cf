// A page's work with the client; the test checks the results.

import { WasmnetClient } from "/client/wasmnet-client.js";

const MIB = 1 << 20;
const text = (bytes) => new TextDecoder().decode(bytes);
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (bytes) => hex(await crypto.subtle.digest("SHA-256", bytes));
const codeOf = (promise) => promise.then(() => "none", ({ code }) => code);

export async function coreWork({ url, oldUrl, closedUrl, echoPort, udpPort, mib = 8 }) {
  const outcome = { numbers: {} };
  // A node that answers without a subprotocol fails a browser's handshake; one that refuses a page can report it only by a close.
  const old = new WasmnetClient(oldUrl);
  await old.ready();
  outcome.old = old.version;
  old.disconnect();
  outcome.turnedAway = await codeOf(new WasmnetClient(closedUrl).ready());
  for (const [language, options] of [["json", { protocol: "v1" }], ["binary", { protocol: "v1", binary: true }], ["v2", {}]]) {
    outcome.numbers[language] = await numbers(new WasmnetClient(url, options), echoPort);
  }
  const client = new WasmnetClient(url);
  await client.ready();
  outcome.version = client.version;
  outcome.halfClose = await halfClose(client, echoPort);
  outcome.accepted = await accepted(client);
  outcome.datagram = await datagram(client, udpPort);
  outcome.denied = await codeOf(client.open("192.0.2.1:80").opened);
  outcome.aborted = await aborted(client, echoPort);
  Object.assign(outcome, await transfer(client, echoPort, mib));
  outcome.openSockets = client.openSockets.length;
  client.disconnect();
  return outcome;
}

async function numbers(client, port) {
  await client.ready();
  const id = await client.connect("127.0.0.1", port);
  client.send(id, "hello");
  const word = await new Promise((resolve) => client.onData(id, (data) => resolve(text(data))));
  client.close(id);
  const { version } = client;
  client.disconnect();
  return `${word} v${version}`;
}

async function halfClose(client, port) {
  const { readable, writable, closed } = client.open({ hostname: "127.0.0.1", port });
  const writer = writable.getWriter();
  writer.write("over ");
  writer.write("and out");
  writer.close();
  let all = "";
  const reader = readable.getReader();
  for (let part; !(part = await reader.read()).done;) all += text(part.value);
  return `${all} (${(await closed).code})`;
}

async function accepted(client) {
  const listener = client.listenOn("127.0.0.1:0");
  const { localPort } = await listener.opened;
  const dialed = client.open({ hostname: "127.0.0.1", port: localPort });
  await dialed.writable.getWriter().write("knock");
  const connection = await listener.accept();
  const { value } = await connection.readable.getReader().read();
  await Promise.all([dialed.close(), connection.close(), listener.close()]);
  return text(value);
}

async function datagram(client, port) {
  const udp = client.openUdp({ hostname: "127.0.0.1", port });
  await udp.writable.getWriter().write("ping");
  const { value } = await udp.readable.getReader().read();
  await udp.close();
  return text(value.data);
}

async function aborted(client, port) {
  const controller = new AbortController();
  const connection = client.open({ hostname: "127.0.0.1", port }, { signal: controller.signal });
  await connection.opened;
  const reading = connection.readable.getReader().read();
  controller.abort();
  return reading.then(() => "none", ({ name }) => name);
}

/** Up and down at once, through an echo; beside it a second socket that is not read. */
async function transfer(client, port, mib) {
  const stalled = client.open({ hostname: "127.0.0.1", port });
  const stalledWriter = stalled.writable.getWriter();
  const block = new Uint8Array(65536);
  let isStalled = false;
  const stalling = (async () => { for (;;) await stalledWriter.write(block); })().catch(() => {});
  const body = new Uint8Array(mib * MIB);
  for (let i = 0; i < body.length; i += 65536) crypto.getRandomValues(body.subarray(i, i + 65536));
  const { readable, writable, closed } = client.open({ hostname: "127.0.0.1", port });
  const writing = (async () => {
    const writer = writable.getWriter();
    for (let i = 0; i < body.length; i += 100000) await writer.write(body.subarray(i, i + 100000));
    await writer.close();
  })();
  const received = new Uint8Array(body.length);
  let at = 0;
  const started = performance.now();
  const reader = readable.getReader();
  for (let part; !(part = await reader.read()).done; at += part.value.length) received.set(part.value, at);
  await Promise.all([writing, closed]);
  const seconds = (performance.now() - started) / 1000;
  const waiting = stalled.socket.waitingBytes;
  isStalled = waiting <= client.terms.window;
  stalled.reset();
  await stalling;
  return {
    received: at, isSame: (await sha256(received)) === (await sha256(body)), isStalled, waiting,
    mibPerSecond: Math.round((mib / seconds) * 10) / 10,
  };
}

// The same work in each way that a page can do it, through the same node to the same targets.
//
// A target answers the line "get N" with N bytes and its end, and "put N" with one line after N bytes; the echo returns its input.
// All take { url: the node's, base: where the client's files are, port, bytes or count }.

const host = "127.0.0.1";
const piece = 64 << 10;
/** The maximum unsent data in a WebSocket, and the interval at which a page that has filled it checks again. */
const highWater = 1 << 20;
const pause = () => new Promise((resolve) => { setTimeout(resolve, 4); });

const text = (string) => new TextEncoder().encode(string);
const load = (base) => import(`${base}wasmnet-client.js`);

async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The median of `count` rounds, after some to warm up. */
async function rounds(count, round) {
  const took = [];
  for (let i = -count / 10; i < count; i++) {
    const ms = await timed(round);
    if (i >= 0) took.push(ms);
  }
  return took.sort((a, b) => a - b)[count >> 1];
}

// A WebSocket without a client: v1's binary messages by hand, which have no credit. This is the minimum cost for a page.

function message(type, payload) {
  const bytes = new Uint8Array(9 + payload.length);
  bytes[0] = type;
  bytes[8] = 1;
  bytes.set(payload, 9);
  return bytes;
}

async function openPlain(url) {
  const ws = new WebSocket(url);
  ws.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    ws.onopen = resolve;
    ws.onerror = () => reject(new Error(`${url} cannot be reached`));
  });
  return ws;
}

function connectPlain(ws, port) {
  return new Promise((resolve, reject) => {
    ws.onmessage = ({ data }) => {
      const type = new Uint8Array(data)[0];
      if (type === 0x81) resolve();
      else if (type === 0x86 || type === 0x87) reject(new Error("the target cannot be reached"));
    };
    ws.send(message(0x01, [port >> 8, port & 255, ...text(host)]));
  });
}

/** Resolves when this many bytes have arrived. */
const arrival = (ws, bytes) => new Promise((resolve) => {
  let count = 0;
  ws.onmessage = ({ data }) => {
    if (new DataView(data).getUint8(0) !== 0x82) return;
    count += data.byteLength - 9;
    if (count >= bytes) resolve();
  };
});

const withPlain = (url, work) => timed(async () => {
  const ws = await openPlain(url);
  await work(ws);
  ws.close();
});

const plain = {
  down: ({ url, port, bytes }) => withPlain(url, async (ws) => {
    await connectPlain(ws, port);
    ws.send(message(0x04, text(`get ${bytes}\n`)));
    await arrival(ws, bytes);
  }),
  up: ({ url, port, bytes }) => withPlain(url, async (ws) => {
    await connectPlain(ws, port);
    ws.send(message(0x04, text(`put ${bytes}\n`)));
    // It can arrive while the last bytes are in transit.
    const answered = arrival(ws, 1);
    const part = message(0x04, new Uint8Array(piece));
    for (let sent = 0; sent < bytes;) {
      for (; sent < bytes && ws.bufferedAmount < highWater; sent += piece) ws.send(part);
      await pause();
    }
    await answered;
  }),
  async pingPong({ url, port, count }) {
    const ws = await openPlain(url);
    await connectPlain(ws, port);
    const byte = message(0x04, [120]);
    const ms = await rounds(count, () => {
      const answer = arrival(ws, 1);
      ws.send(byte);
      return answer;
    });
    ws.close();
    return ms;
  },
  connects: ({ url, port, count }) => withPlain(url, async (ws) => {
    for (let i = 0; i < count; i++) {
      await connectPlain(ws, port);
      ws.send(message(0x05, []));
    }
  }),
};

// The client.

async function withClient({ url, base }, work) {
  const { WasmnetClient } = await load(base);
  return timed(async () => {
    const client = new WasmnetClient(url);
    await work(client);
    client.disconnect();
  });
}

async function readMany(reader, bytes) {
  for (let count = 0; count < bytes;) count += (await reader.read()).value.length;
}

const streams = {
  down: (params) => withClient(params, async (client) => {
    const { readable, writable } = client.open({ hostname: host, port: params.port });
    await writable.getWriter().write(`get ${params.bytes}\n`);
    await readMany(readable.getReader(), params.bytes);
  }),
  up: (params) => withClient(params, async (client) => {
    const { readable, writable } = client.open({ hostname: host, port: params.port });
    const writer = writable.getWriter();
    await writer.write(`put ${params.bytes}\n`);
    const part = new Uint8Array(piece);
    for (let sent = 0; sent < params.bytes; sent += piece) await writer.write(part);
    await readMany(readable.getReader(), 1);
  }),
  async pingPong(params) {
    let ms;
    await withClient(params, async (client) => {
      const { readable, writable, opened } = client.open({ hostname: host, port: params.port });
      await opened;
      const [reader, writer] = [readable.getReader(), writable.getWriter()];
      const byte = Uint8Array.of(120);
      ms = await rounds(params.count, () => {
        writer.write(byte);
        return reader.read();
      });
    });
    return ms;
  },
  connects: (params) => withClient(params, async (client) => {
    for (let i = 0; i < params.count; i++) {
      const connection = client.open({ hostname: host, port: params.port });
      await connection.opened;
      connection.close();
    }
  }),
};

/** Resolves when this many bytes have arrived. */
const received = (client, id, bytes) => new Promise((resolve) => {
  let count = 0;
  client.onData(id, (data) => {
    count += data.length;
    if (count >= bytes) resolve();
  });
});

const numbers = {
  down: (params) => withClient(params, async (client) => {
    const id = await client.connect(host, params.port);
    client.send(id, `get ${params.bytes}\n`);
    await received(client, id, params.bytes);
  }),
  up: (params) => withClient(params, async (client) => {
    const id = await client.connect(host, params.port);
    client.send(id, `put ${params.bytes}\n`);
    const part = new Uint8Array(piece);
    const socket = client.sockets.get(id);
    // Unlike a plain WebSocket the client reports room: a page that checks every 4 ms found nothing left to send two times in five.
    let wake;
    socket.onsendable = () => wake?.();
    for (let sent = 0; sent < params.bytes;) {
      const count = Math.min(piece, params.bytes - sent, socket.sendable);
      if (count) client.send(id, part.subarray(0, count));
      else await new Promise((resolve) => { wake = resolve; });
      sent += count;
    }
    await received(client, id, 1);
  }),
  async pingPong(params) {
    let ms;
    await withClient(params, async (client) => {
      const id = await client.connect(host, params.port);
      const byte = Uint8Array.of(120);
      ms = await rounds(params.count, () => {
        const answer = received(client, id, 1);
        client.send(id, byte);
        return answer;
      });
    });
    return ms;
  },
  connects: (params) => withClient(params, async (client) => {
    for (let i = 0; i < params.count; i++) client.close(await client.connect(host, params.port));
  }),
};

// A WASI program in a Worker. Under jspi its Worker runs the client, under sab the page.

const modules = new Map();

async function runGuest({ url, base, strategy, guest, args }) {
  const { compile, run } = await import(`${base}wasi/index.js`);
  if (!modules.has(guest)) modules.set(guest, await compile(`/guests/${guest}.wasm`));
  const started = performance.now();
  const { exitCode, stdout, stderr } = await run(modules.get(guest), { url, strategy, args: [guest, ...args.map(String)] });
  if (exitCode !== 0) throw new Error(`${guest} ended with ${exitCode}: ${stderr}`);
  return { ms: performance.now() - started, stdout };
}

/** Bytes of one read or write: curl's. */
const callBytes = 16 << 10;

const guest = (strategy) => ({
  down: async ({ port, bytes, ...params }) => (await runGuest({ ...params, strategy, guest: "transfer", args: ["get", host, port, bytes, callBytes] })).ms,
  up: async ({ port, bytes, ...params }) => (await runGuest({ ...params, strategy, guest: "transfer", args: ["put", host, port, bytes, callBytes] })).ms,
  pingPong: async ({ port, count, ...params }) =>
    Number((await runGuest({ ...params, strategy, guest: "ping-pong", args: [host, port, count] })).stdout) / 1000,
});

export const WAYS = { plain, streams, numbers, jspi: guest("jspi"), sab: guest("sab") };

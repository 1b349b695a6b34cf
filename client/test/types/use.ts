// Typical programs; never run. Lines that must not compile are marked.

import { WasmnetClient, WasmnetError, codes, type Connection, type Socket, type ReasonCode } from "wasmnet";

const client = new WasmnetClient("ws://127.0.0.1:9000/", { binary: true, token: () => "t", reconnect: { capMs: 1000 } });

export async function byNumber(): Promise<void> {
  await client.ready();
  const id: number = await client.connect("example.com", 80);
  client.onData(id, (data: Uint8Array) => client.send(id, data));
  client.onClose(id, (reason) => console.log(reason.code));
  client.onClose(id, () => {});
  const udp: { id: number; port: number } = await client.connectUdp("9.9.9.9", 53);
  client.onDataFrom(udp.id, (data, addr, port) => client.sendTo(udp.id, addr, port, data.buffer));
  const listener = await client.bind("0.0.0.0", 3000);
  client.onAccept(listener.id, (connId, remote) => client.send(connId, remote));
  const addresses: string[] = await client.resolve("example.com", { signal: new AbortController().signal });
  client.close(id);
  console.log(addresses.length);
  client.disconnect();
}

export async function byStream(): Promise<void> {
  const connection: Connection = client.open({ hostname: "example.com", port: 443 }, { tls: true, signal: new AbortController().signal, openTimeoutMs: 10000 });
  const { remoteAddress, remotePort } = await connection.opened;
  const writer = connection.writable.getWriter();
  await writer.write(`${remoteAddress} ${remotePort}`);
  await writer.write(new Uint8Array(3));
  for await (const chunk of connection.readable.values({ preventCancel: true })) console.log(chunk.length);
  await connection.readable.pipeTo(new WritableStream<Uint8Array>());
  for await (const accepted of client.listenOn("0.0.0.0:0")) await accepted.close();
  const udp = client.openUdp("9.9.9.9:53");
  const { value } = await udp.readable.getReader().read();
  await udp.writable.getWriter().write({ data: value!.data, remoteAddress: value!.remoteAddress, remotePort: 53 });
}

export function byEvent(): Socket {
  client.addEventListener("disconnected", (event) => console.log(event.retryInMs, event.error.retryAfterMs));
  client.addEventListener("socketclose", ({ socket }) => console.log(socket.ending?.message));
  const code: ReasonCode = "refused";
  console.log(codes[code] + 1, new WasmnetError(code).code === "refused");
  return client.socket("tcp", "example.com", 80, {
    onopen: (socket) => socket.send("x"),
    ondata: (chunk, socket) => socket.consumed(chunk.length),
  });
}

export function wrong(): void {
  // @ts-expect-error a port is a number
  void client.connect("example.com", "80");
  // @ts-expect-error there is no such transport
  client.open("example.com:80", { transport: "quic" });
  // @ts-expect-error there is no such kind
  client.socket("raw", "example.com", 80);
  // @ts-expect-error a socket is not made but by its client
  console.log(new Socket());
  // @ts-expect-error numbers are not bytes to send
  client.send(1, 5);
}

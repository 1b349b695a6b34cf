// Programs beside this page in guests/, where `make playground` builds them, with examples to try.

export const GUESTS = [
  { file: "netcat.wasm", args: "example.com 80", what: "a TCP connection at your keyboard" },
  { file: "echo-server.wasm", args: "127.0.0.1 0", what: "listens, and echoes to who comes" },
];

/** @returns {Promise<ArrayBuffer>} a program's bytes */
export async function fetchGuest(file) {
  const response = await fetch(new URL(`guests/${file}`, import.meta.url));
  if (!response.ok) throw new Error(`the node has no ${file} (HTTP status ${response.status}): make playground builds it`);
  return response.arrayBuffer();
}

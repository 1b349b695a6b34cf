// Programs that may lie beside this page in guests/, with what to try them with; only those that are there are offered.

const GUESTS = [
  { file: "netcat.wasm", args: "example.com 80", what: "a TCP connection at your keyboard" },
  { file: "echo-server.wasm", args: "127.0.0.1 0", what: "listens, and echoes to who comes" },
  { file: "redis-cli.wasm", args: "-h 127.0.0.1", what: "redis-cli, its source unmodified" },
];

/** @returns {Promise<{file, args, what, url}[]>} */
export async function findGuests() {
  const found = await Promise.all(GUESTS.map(async (guest) => {
    const url = new URL(`guests/${guest.file}`, import.meta.url);
    const response = await fetch(url, { method: "HEAD" }).catch(() => null);
    return response?.ok ? { ...guest, url } : null;
  }));
  return found.filter(Boolean);
}

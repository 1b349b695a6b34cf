// One browser page that runs guests for many tests: the page fetches commands from here and posts the results.

import { createServer } from "node:http";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openHarness } from "../browser/harness.js";

/** Where the built guests are. */
export const GUESTS = fileURLToPath(new URL("../../../.build-guests/", import.meta.url));

/**
 * Opens `page` in `browser`. `isolated` serves it with COOP and COEP. The result has `call(name, params, onevent)`, which resolves to
 * the result of the page's function of that name, and `close()`.
 */
export async function openSession(browser, { isolated = false, page: path = "/client/test/wasi/page.html", roots = {}, flags = [] } = {}) {
  const harness = await openHarness({ isolated, roots: { "/guests/": GUESTS, ...roots } });
  const commands = [];
  const calls = new Map();
  const listeners = new Map();
  let poll = null;
  let lastId = 0;
  let failure = null;

  const next = () => {
    if (!poll || commands.length === 0) return;
    poll.writeHead(200, headers).end(JSON.stringify(commands.splice(0)));
    poll = null;
  };
  const server = createServer(async (request, response) => {
    if (request.method === "OPTIONS") return response.writeHead(204, headers).end();
    if (request.url === "/next") {
      poll = response;
      return next();
    }
    const parts = [];
    for await (const part of request) parts.push(part);
    response.writeHead(204, headers).end();
    const { id, event, value, error } = JSON.parse(Buffer.concat(parts));
    const call = calls.get(id);
    // Events continue after a call's answer: an open client reports its connections.
    if (event !== undefined) return listeners.get(id)?.(event);
    calls.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const send = (name, params, onevent) => new Promise((resolve, reject) => {
    if (failure) return reject(failure);
    calls.set(++lastId, { resolve, reject });
    if (onevent) listeners.set(lastId, onevent);
    commands.push({ id: lastId, name, params });
    next();
  });
  const page = harness.run(browser, path, {
    flags,
    params: { control: `http://127.0.0.1:${server.address().port}` }, timeoutMs: 20 * 60 * 1000,
    onstart: ({ pid }) => {
      session.pid = pid;
      browsers.add(pid);
    },
  });
  page.catch((error) => {
    failure = error;
    for (const call of calls.values()) call.reject(error);
  });

  const session = {
    pid: 0,
    call: send,
    async close() {
      if (!failure) {
        commands.push({ id: 0, name: "end" });
        next();
        // A page that a failed test left busy does not receive it.
        const impatience = setTimeout(() => process.kill(-session.pid, "SIGKILL"), 10000);
        await page.catch(() => {});
        clearTimeout(impatience);
      }
      server.closeAllConnections();
      server.close();
      await harness.close();
      browsers.delete(session.pid);
    },
  };
  let timer;
  const patience = new Promise((resolve, reject) => {
    timer = setTimeout(() => {
      // The page's end lets the test's process end too.
      process.kill(-session.pid, "SIGKILL");
      server.closeAllConnections();
      server.close();
      reject(new Error(`the page in ${browser} did not begin`));
    }, 30000);
  });
  session.features = await Promise.race([send("features", {}), patience]);
  clearTimeout(timer);
  return session;
}

// An interrupted test leaves no browser behind.
const browsers = new Set();
process.on("exit", () => {
  for (const pid of browsers) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It had ended.
    }
  }
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const headers = {
  "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*", "Content-Type": "application/json", "Cache-Control": "no-store",
};

// Real browsers for tests, without a driver: pages are served over loopback HTTP, a headless browser opens one, the page posts its
// result, the browser is ended by its process id.
//
//   const harness = await openHarness({ isolated: true });       // with COOP and COEP
//   const value = await harness.run("firefox", "/client/test/browser/core.html", { params: { node: url } });
//   await harness.close();
//
// The page imports page.js beside this file and passes its work to `report()`. If a page fails, does not report in time, or its browser
// ends, that is an error with the browser's own output.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** The browsers known to run here; WASMNET_BROWSERS=chromium,firefox selects. */
export const BROWSERS = (process.env.WASMNET_BROWSERS ?? "chromium,firefox").split(",");

const CLIENT = fileURLToPath(new URL("../..", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml",
};
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const FIREFOX_PREFERENCES = {
  "browser.shell.checkDefaultBrowser": false, "browser.startup.homepage_override.mstone": "ignore",
  "browser.tabs.remote.autostart": true, "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false, "app.update.enabled": false, "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false,
  "browser.safebrowsing.malware.enabled": false, "browser.safebrowsing.phishing.enabled": false,
  "services.settings.server": "data:,", "browser.aboutwelcome.enabled": false, "trailhead.firstrun.didSeeAboutWelcome": true,
};

/**
 * @param {object} [options]
 * @param {boolean} [options.isolated] serve with COOP and COEP, so that pages have SharedArrayBuffer. Default false.
 * @param {Record<string, string>} [options.roots] more URL prefixes and the directories behind them; /client/ and /playground/ are there.
 * @param {Record<string, string>} [options.headers] more response headers
 */
export async function openHarness({ isolated = false, roots = {}, headers = {} } = {}) {
  const harness = new Harness({ "/client/": CLIENT, "/playground/": join(CLIENT, "playground"), ...roots },
    { ...(isolated ? ISOLATION : null), ...headers });
  await harness.listen();
  return harness;
}

class Harness {
  #roots;
  #headers;
  #server = createServer((request, response) => this.#answer(request, response));
  #runs = new Map();
  #lastRun = 0;

  constructor(roots, headers) {
    // The longest prefix wins.
    this.#roots = Object.entries(roots).sort(([a], [b]) => b.length - a.length);
    this.#headers = headers;
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
  }

  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  /**
   * Opens a page and returns its report.
   *
   * @param {"chromium" | "firefox"} browser
   * @param {string} path of the page, below a root
   * @param {object} [options]
   * @param {object} [options.params] passed to the page's work, as JSON
   * @param {number} [options.timeoutMs] Default 60,000.
   * @param {string[]} [options.flags] more arguments of the browser
   * @param {(page: {pid: number}) => void} [options.onstart]
   */
  async run(browser, path, { params = {}, timeoutMs = 60000, flags = [], onstart } = {}) {
    const run = String(++this.#lastRun);
    const query = new URLSearchParams({ run, params: JSON.stringify(params) });
    let step = "";
    const result = new Promise((resolve) => this.#runs.set(run, (posted) => {
      if (posted.step === undefined) resolve(posted);
      else step = `, last "${posted.step}"`;
    }));
    const process = await startBrowser(browser, `${this.origin}${path}?${query}`, flags);
    onstart?.({ pid: process.pid });
    let timer;
    try {
      const outcome = await Promise.race([
        result,
        process.ended.then(() => ({ error: `${browser} ended by itself` })),
        new Promise((resolve) => {
          timer = setTimeout(() => resolve({ error: `no result from ${browser} within ${timeoutMs} ms${step}` }), timeoutMs);
        }),
      ]);
      if (outcome.error !== undefined) throw new Error(`${path} in ${browser}: ${outcome.error}\n${process.output()}`);
      return outcome.value;
    } finally {
      clearTimeout(timer);
      this.#runs.delete(run);
      await process.end();
    }
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (request.method === "POST" && pathname.startsWith("/result/")) {
      const parts = [];
      for await (const part of request) parts.push(part);
      response.writeHead(204, this.#headers).end();
      this.#runs.get(pathname.slice(8))?.(JSON.parse(Buffer.concat(parts)));
      return;
    }
    const root = this.#roots.find(([prefix]) => pathname.startsWith(prefix));
    const file = root && join(root[1], normalize(`/${decodeURIComponent(pathname.slice(root[0].length))}`));
    const path = file?.endsWith("/") ? join(file, "index.html") : file;
    const found = path && await stat(path).catch(() => null);
    if (!found?.isFile()) {
      response.writeHead(404, this.#headers).end();
      return;
    }
    response.writeHead(200, {
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", "Content-Length": found.size,
      "Cache-Control": "no-store", ...this.#headers,
    });
    createReadStream(path).pipe(response);
  }
}

const COMMANDS = {
  chromium: (profile, url, flags) => ["chromium", [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
    `--user-data-dir=${profile}`, ...flags, url,
  ]],
  firefox: (profile, url, flags) => ["firefox-esr", ["--headless", "--no-remote", "--profile", profile, ...flags, url]],
};

/**
 * A browser with its own profile and process group.
 *
 * @returns {Promise<{pid, process, ended: Promise<void>, output(): string, end(): Promise<void>}>}
 */
export async function startBrowser(browser, url, flags = [], { stdio = ["ignore", "pipe", "pipe"] } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "wasmnet-browser-"));
  if (browser === "firefox") {
    const lines = Object.entries(FIREFOX_PREFERENCES).map(([key, value]) => `user_pref("${key}", ${JSON.stringify(value)});`);
    await writeFile(join(profile, "user.js"), `${lines.join("\n")}\n`);
  }
  const [command, parameters] = COMMANDS[browser](profile, url, flags);
  // It ends with this process, however that ends: a page left alone can use all memory.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...parameters], { stdio, detached: true, env: { ...process.env, MOZ_CRASHREPORTER_DISABLE: "1" } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    // Of a browser's output without a desktop, the lines about the page are kept.
    stream?.on("data", (text) => {
      const lines = `${text}`.split("\n").filter((line) => !/dbus|\/gpu|GFX1|vaapi/i.test(line));
      output = (output + lines.join("\n")).slice(-8000);
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.on("exit", resolve);
    child.on("error", reject);
  });
  await Promise.race([once(child, "spawn"), ended]);
  return {
    pid: child.pid,
    process: child,
    ended,
    output: () => output,
    async end() {
      // The group, including its renderers.
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It had ended.
      }
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

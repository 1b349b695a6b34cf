// Each program's actions, and what its user sees.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { freePort } from "../peers.js";
import { talk } from "../talk.js";
import { big } from "./peers.js";

const native = promisify(execFile);

const isOk = ({ exitCode, stdout, stderr }, pattern) => {
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, pattern);
};

// A program's output to a terminal is flushed line by line, else when it ends.
const lineByLine = { isTerminal: true };

export const scenarios = {
  "curl: http": async ({ run, peers }) => {
    const at = (path) => `http://localhost:${peers.http.port}${path}`;
    isOk(await run("curl", ["-sS", at("/hello")]), /^hello curl\/7\.88\.1\n$/);
    // A port of its own, of which the node hears nothing.
    isOk(await run("curl", ["-sS", "--local-port", "20000-20009", at("/hello")]), /^hello curl\/7\.88\.1\n$/);
    // Two over one connection.
    isOk(await run("curl", ["-sS", "-L", "-w", "%{num_redirects} %{num_connects}\n", at("/moved")]), /^hello curl\/7\.88\.1\n1 1\n$/);
    isOk(await run("curl", ["-sS", "-d", "@-", at("/")], { stdin: "shout this" }), /^SHOUT THIS$/);
    const download = await run("curl", ["-sS", at("/big")]);
    assert.ok(download.stdout === big, `${download.stdout.length} of ${big.length} bytes: ${download.stderr}`);
    isOk(await run("curl", ["-sS", "-Z", "--no-progress-meter", at("/hello"), at("/hello"), at("/hello")]), /^(hello curl\/7\.88\.1\n){3}$/);
  },

  "curl: what it says when it fails": async ({ run, peers }) => {
    const missing = await run("curl", ["-sS", "-f", `http://localhost:${peers.http.port}/missing`]);
    assert.deepEqual([missing.exitCode, missing.stderr], [22, "curl: (22) The requested URL returned error: 404\n"]);
    const refused = await run("curl", ["-sS", "http://127.0.0.1:1/"]);
    assert.equal(refused.exitCode, 7);
    assert.match(refused.stderr, /^curl: \(7\) Failed to connect to 127\.0\.0\.1 port 1 after \d+ ms: Couldn't connect to server\n$/);
    const unknown = await run("curl", ["-sS", "http://no-such-name.invalid/"]);
    assert.deepEqual([unknown.exitCode, unknown.stderr], [6, "curl: (6) Could not resolve host: no-such-name.invalid\n"]);
  },

  // The authority is a file: the host of run() has none, another shim does.
  "curl: https, whose certificate is checked": async ({ run, session, peers, mode }) => {
    const url = `https://localhost:${peers.https.port}/hello`;
    const on = (authority) => session.call("onForeignShim", {
      guest: "curl", args: ["curl", "-sS", "--cacert", "/authority.pem", url], files: { "/authority.pem": authority }, url: peers.node.url, strategy: mode.strategy,
    });
    assert.deepEqual(await on(peers.authority), { exitCode: 0, output: "hello curl/7.88.1\n" });
    const other = await on(peers.otherAuthority);
    assert.equal(other.exitCode, 60, other.output);
    isOk(await run("curl", ["-sSk", url]), /^hello curl\/7\.88\.1\n$/);
  },

  // Not -l: reading lines needs a thread.
  "mosquitto_pub and mosquitto_sub on Debian's broker": async ({ run, start, peers }) => {
    const broker = ["-h", "localhost", "-p", String(peers.broker.port)];
    const subscriber = start("mosquitto_sub", [...broker, "-t", "room/#", "-q", "2", "-C", "3", "-v", "-d"], lineByLine);
    await subscriber.said(/Subscribed/);
    assert.equal((await run("mosquitto_pub", [...broker, "-t", "room/one", "-m", "hello", "-q", "2"])).exitCode, 0);
    assert.equal((await run("mosquitto_pub", [...broker, "-t", "room/two", "-s"], { stdin: "x".repeat(100000) })).exitCode, 0);
    assert.equal((await run("mosquitto_pub", [...broker, "-t", "room/three", "-n", "-r", "--repeat", "1"])).exitCode, 0);
    isOk(await subscriber.ended, new RegExp(`room/one hello\n[^]*room/two x{100000}\n[^]*room/three \\(null\\)\n`));
    const refused = await run("mosquitto_pub", ["-h", "127.0.0.1", "-p", "1", "-t", "a", "-m", "b"]);
    assert.deepEqual([refused.exitCode, refused.stderr], [1, "Error: Connection refused\n"]);
  },

  "mosquitto, the broker, in the page": async ({ start }) => {
    const port = await freePort();
    const broker = start("mosquitto", ["-p", String(port)]);
    const ended = broker.ended.catch((error) => error);
    await broker.said(/mosquitto version \S+ running/);
    const at = ["-h", "127.0.0.1", "-p", String(port)];
    // Its clients are Debian's own, and one in the page.
    const inside = start("mosquitto_sub", [...at, "-t", "news", "-q", "1", "-C", "1", "-d"], lineByLine);
    await inside.said(/Subscribed/);
    await native("mosquitto_pub", [...at, "-t", "news", "-q", "1", "-m", "from outside", "-r"]);
    isOk(await inside.ended, /\nfrom outside\n/);
    assert.equal((await native("mosquitto_sub", [...at, "-t", "news", "-C", "1"])).stdout, "from outside\n");
    await broker.abort();
    assert.match(String(await ended), /aborted by the test/);
  },

  "adig, of c-ares": async ({ run, peers }) => {
    const ask = (...args) => run("adig", ["-s", "127.0.0.1", "-U", String(peers.dns.port), "-T", String(peers.dns.port), ...args]);
    isOk(await ask("web.test"), /rcode: NOERROR[^]*web\.test\s+\.\s+0\s+A\s+192\.0\.2\.7\n/);
    isOk(await ask("-t", "MX", "web.test"), /MX\t10\tmail\.test/);
    // More than fits into a datagram: again over TCP.
    isOk(await ask("-t", "TXT", "web.test"), /TXT\s+x{200}[^]*z{200}/);
    isOk(await ask("-f", "usevc", "-t", "A", "web.test"), /192\.0\.2\.7/);
    assert.match((await ask("no-such.name.test")).stdout, /rcode: (NXDOMAIN|REFUSED)/);
  },

  "netcat: client and server, TCP and UDP": async ({ run, start, peers }) => {
    const said = await run("nc", ["-v", "-w", "5", "localhost", String(peers.hearer.port)], { stdin: "over netcat\n" });
    assert.equal(said.stdout, "heard over netcat\n");
    assert.match(said.stderr, /localhost \[127\.0\.0\.1\] \d+ \(\?\) open/);
    const refused = await run("nc", ["-v", "-z", "127.0.0.1", "1"]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /\(UNKNOWN\) \[127\.0\.0\.1\] 1 \(tcpmux\) : Connection refused/);

    const port = await freePort();
    const server = start("nc", ["-v", "-l", "-p", String(port)], { stdin: "from the page\n" });
    await server.said(/listening on \[any\]/);
    assert.equal(await talk(port, "to the page\n"), "from the page\n");
    assert.equal((await server.ended).stdout, "to the page\n");

    const receiver = start("nc", ["-v", "-u", "-l", "-p", String(port)], { stdin: true });
    await receiver.said(/listening on \[any\]/);
    const sender = start("nc", ["-u", "127.0.0.1", String(port)], { stdin: true });
    await sender.input("a datagram\n", { more: true });
    await receiver.said(/a datagram\n/);
    await receiver.input("and one back\n", { more: true });
    await sender.said(/and one back\n/);
    for (const program of [receiver, sender]) {
      program.ended.catch(() => {});
      await program.abort();
    }
  },

  "sic: two users on Debian's ngircd": async ({ start, peers }) => {
    const enter = async (nick) => {
      const program = start("sic", ["-h", "localhost", "-p", String(peers.irc.port), "-n", nick], { stdin: true });
      await program.said(new RegExp(`>< 001 \\(${nick}\\): Welcome`));
      await program.input(":j #room\n", { more: true });
      await program.said(/>< 366 /);
      return program;
    };
    const amy = await enter("amy");
    const ben = await enter("ben");
    await amy.input("hello there\n", { more: true });
    await ben.said(/#room +: \S+ \S+ <amy> hello there/);
    await ben.input(":m amy just for you\n", { more: true });
    await amy.said(/amy +: \S+ \S+ <ben> just for you/);
    for (const program of [amy, ben]) {
      await program.input("");
      assert.equal((await program.ended).stderr, "sic: broken pipe\n");
    }
  },
};

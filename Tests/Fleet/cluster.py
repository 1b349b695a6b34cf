"""The processes of a cluster, with the configurations of deploy/: each can be killed, stopped and started again.

scripts/cluster.sh cannot be used for that: it ends when one of its processes ends. The ports are those of the script plus 10,000, which is below
the kernel's ephemeral ports. Every process ends with the program that started it.
"""
import asyncio
import json
import os
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OFFSET = int(os.environ.get("WASMNET_CLUSTER_OFFSET", "10000"))
CLIENTS = ("127.0.0.1", 8080 + OFFSET)
TARGETS = [("127.0.9.1", 9201 + OFFSET), ("127.0.9.2", 9201 + OFFSET), ("127.0.9.3", 9201 + OFFSET), ("127.0.9.4", 9201 + OFFSET)]
NODES = ("node-1", "node-2", "node-3")
LONGEST = 30
# The address that clients may listen on.
LISTEN = "127.0.9.9"
# The lifetime of a lease in Redis, in seconds.
LEASE = 15


def policy(max_connections=12, max_sessions=8, without_redis="static"):
    return f"""[network]
deny = []
allow = ["127.0.9.0/24"]
bind_ports = "24000-27999"
bind_addresses = ["{LISTEN}"]
max_connections = {max_connections}
connection_timeout_secs = 10
max_bandwidth_mbps = 0
[limits]
max_sessions = {max_sessions}
[clients]
identify_by = "address"
trusted_proxies = ["127.0.0.1"]
[redis_failure]
default = "{without_redis}"
"""


class Cluster:
    """Redis, three nodes and HAProxy. `policy_text` must trust 127.0.0.1."""

    def __init__(self, policy_text, drain=12):
        self.node_program = os.environ["WASMNET_NODE"]
        self.work = Path(tempfile.mkdtemp(prefix="wasmnet-fleet."))
        self.processes, self.drain, self.asked = {}, drain, {}
        self.nodes_host = "127.0.0.1"
        self.password = secrets.token_urlsafe(18)
        self.policy = self.work / "policy.toml"
        self.policy.write_text(policy_text)
        self.path = os.environ["PATH"] + ":/usr/sbin"
        self.redis_url = f"redis://wasmnet:{self.password}@127.0.0.1:{6390 + OFFSET}"

    # Processes

    def start(self, name, *command, stdin=subprocess.DEVNULL, stdout=None, **environment):
        with open(self.work / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                # Processes are stopped with signals, so they must not inherit an ignored one from this process.
                ["env", "--default-signal", "setpriv", "--pdeathsig", "KILL", *map(str, command)], cwd=ROOT, stdin=stdin, stdout=stdout or log, stderr=log,
                start_new_session=True, env={**os.environ, "PATH": self.path, **environment})
        return self.processes[name]

    def signal(self, name, number):
        os.kill(self.processes[name].pid, number)

    def is_alive(self, name):
        return self.processes[name].poll() is None

    async def ended(self, name, seconds):
        """Waits for the end of a process, and returns its exit status. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while (status := self.processes[name].poll()) is None:
                await asyncio.sleep(0.02)
        return status

    async def kill(self, name):
        self.signal(name, signal.SIGKILL)
        await self.ended(name, 10)

    async def until(self, told, condition, seconds=LONGEST):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{told} within {seconds} s; {self.tails()}")
            await asyncio.sleep(0.1)
        return result

    def tails(self):
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-500:]}" for log in sorted(self.work.glob("*.log")))

    # Parts

    async def up(self, breakable=False):
        """Starts the cluster. With `breakable` HAProxy reaches the nodes, also for its health checks, through the fault proxy `ways`."""
        self.prepare()
        await self.start_redis()
        for name in NODES:
            await self.start_node(name)
        if breakable:
            self.nodes_host = "127.0.8.{}"
            await self.start_ways("ways", *((name, (self.host(name), port), ("127.0.0.1", port)) for name in NODES
                                            for port in (self.node_port(name), self.admin_port(name))))
        await self.start_haproxy()

    def prepare(self):
        """Creates the secrets and certificates."""
        acl = (ROOT / "deploy/redis/wasmnet.acl").read_text().replace(">change-me", f">{self.password}")
        (self.work / "wasmnet.acl").write_text(acl)
        (self.work / "redis").mkdir()
        names = ",".join(["DNS:localhost", *(f"IP:{host}" for host, _ in TARGETS)])
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", f"subjectAltName={names}", "-keyout", self.work / "key.pem", "-out",
                        self.work / "certificate.pem"], check=True, stderr=subprocess.DEVNULL)
        (self.work / "both.pem").write_text((self.work / "certificate.pem").read_text() + (self.work / "key.pem").read_text())

    async def start_redis(self):
        self.start("redis", "redis-server", ROOT / "deploy/redis/redis.conf", "--bind", "127.0.0.1", "--port", 6390 + OFFSET, "--dir",
                   self.work / "redis", "--aclfile", self.work / "wasmnet.acl", "--daemonize", "no")

        def answers():
            told = subprocess.run(["redis-cli", "-p", str(6390 + OFFSET), "ping"], capture_output=True, text=True, timeout=5)
            return "NOAUTH" in told.stdout + told.stderr
        await self.until("redis answers", answers)

    async def start_node(self, name, *options, program=None, prefix=(), policy=None, redis=None, proxy="required", drain=None, **environment):
        """`prefix` is a command that starts the node, such as prlimit; `redis` is a URL."""
        self.start(name, *prefix, program or self.node_program, "serve", "--host", "127.0.0.1", "--port", self.node_port(name), "--policy",
                   policy or self.policy, "--proxy-protocol", proxy, "--admin-port", self.admin_port(name), "--drain-timeout",
                   self.drain if drain is None else drain, "--access-log-sample", "0", "--ca-file", self.work / "certificate.pem", *options,
                   WASMNET_REDIS=redis or self.redis_url, **environment)
        await self.until(f"{name} is ready", lambda: self.is_ready(name))

    async def start_haproxy(self):
        settings = {"WASMNET_LB_MAXCONN": "9000", "WASMNET_LB_CERT": str(self.work / "both.pem"),
                    "WASMNET_LB_SOCKET": str(self.work / "haproxy.sock"), "WASMNET_LB_PLAIN": f"{CLIENTS[0]}:{CLIENTS[1]}",
                    "WASMNET_LB_HTTPS": f"127.0.0.1:{8443 + OFFSET}", "WASMNET_LB_HTTP": f"127.0.0.1:{8081 + OFFSET}",
                    "WASMNET_LB_STATS": f"127.0.0.1:{8404 + OFFSET}"}
        for name in NODES:
            settings[f"WASMNET_NODE_{name[-1]}"] = f"{self.host(name)}:{self.node_port(name)}"
            settings[f"WASMNET_ADMIN_PORT_{name[-1]}"] = str(self.admin_port(name))
        self.start("haproxy", "haproxy", "-db", "-f", ROOT / "deploy/haproxy/haproxy.cfg", **settings)
        await self.until("HAProxy sees three nodes", lambda: self.nodes_up() == 3)

    async def start_commanded(self, name, program, *arguments):
        """Starts a program of this folder that takes commands and answers them: target.py or fault_proxy.py."""
        process = self.start(name, "python3", Path(__file__).with_name(program), *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.asked[name] = asyncio.Lock()
        if not await asyncio.to_thread(process.stdout.readline):
            raise ChildProcessError(f"{name} ended: {self.tails()}")

    async def tell(self, name, **command):
        """Returns a program's answer to a command. Commands are sent one at a time, and the answer is read even if the caller is cancelled: an
        answer does not say which command it belongs to."""
        async def ask():
            async with self.asked[name]:
                process = self.processes[name]
                process.stdin.write(json.dumps(command).encode() + b"\n")
                process.stdin.flush()
                return json.loads(await asyncio.to_thread(process.stdout.readline))
        return await asyncio.shield(asyncio.create_task(ask()))

    async def start_target(self):
        await self.start_commanded("target", "target.py", self.work / "both.pem", *(f"{host}:{port}" for host, port in TARGETS))

    async def target(self, **command):
        return await self.tell("target", **command)

    async def start_ways(self, name, *ways):
        """Starts a fault proxy under this name. Each way is its name, the address it listens on, and its target."""
        words = [(way, f"{near[0]}:{near[1]}", f"{far[0]}:{far[1]}") for way, near, far in ways]
        await self.start_commanded(name, "fault_proxy.py", *sum(words, ()))

    # Queries

    def host(self, name):
        """The address under which HAProxy reaches a node."""
        return self.nodes_host.format(name[-1])

    @staticmethod
    def node_port(name):
        return 9000 + int(name.split("-")[1]) + OFFSET

    @staticmethod
    def admin_port(name):
        return 9100 + int(name.split("-")[1]) + OFFSET

    def get(self, port, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": "application/json"} if body else {})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode()

    def is_ready(self, name):
        if not self.is_alive(name):
            raise ChildProcessError(f"{name} ended: {self.tails()}")
        try:
            return self.get(self.admin_port(name), "/readyz") is not None
        except (OSError, urllib.error.URLError):
            return False

    def nodes_up(self):
        try:
            return len(re.findall(r'haproxy_server_status\{proxy="nodes",server="node-\d",state="UP"\} 1', self.get(8404 + OFFSET, "/metrics")))
        except OSError:
            return 0

    def admin(self, name, path, body=None):
        return json.loads(self.get(self.admin_port(name), path, body))

    def sessions(self, name):
        return self.admin(name, "/v1/sessions?limit=100")["items"]

    def metrics(self, name):
        """A node's metrics by name; values of the same name with different labels are summed."""
        found = {}
        for line in self.get(self.admin_port(name), "/metrics").splitlines():
            if line and line[0] != "#":
                series, value = line.rsplit(" ", 1)
                key = series.split("{", 1)[0]
                found[key] = found.get(key, 0) + float(value)
        return found

    async def command(self, *arguments, redis=None):
        """Runs a wasmnet-node command, and returns its output. Raises RuntimeError with its error text."""
        process = await asyncio.create_subprocess_exec(
            self.node_program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "WASMNET_REDIS": redis or self.redis_url, "WASMNET_POLICY": str(self.policy)})
        try:
            async with asyncio.timeout(15):
                out, told = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"{arguments}: {told.decode()}")
        return out.decode()

    async def quota(self, client):
        return json.loads(await self.command("quota", "show", client, "--json"))

    # The end

    def end(self):
        """Ends all processes, Redis last; those that are still running after 5 s are killed."""
        order = sorted(self.processes, key=lambda name: (name == "redis", name))
        for group in ([n for n in order if n != "redis"], [n for n in order if n == "redis"]):
            for name in group:
                process = self.processes[name]
                if process.poll() is None:
                    # A stopped process needs SIGCONT first. The second SIGTERM below ends a node without its drain.
                    for number in (signal.SIGCONT, signal.SIGTERM):
                        process.send_signal(number)
            time.sleep(0.2)
            for name in group:
                process = self.processes[name]
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 5
            for name in group:
                process = self.processes[name]
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe:
                        pipe.close()
        shutil.rmtree(self.work, ignore_errors=True)


def main(run, policy_text, drain, seconds, kind=Cluster):
    """Runs `run(cluster)`, which returns a list of failures, for at most this many seconds. Removes all that it started, and returns the exit status."""
    if not os.access(os.environ.get("WASMNET_NODE", ""), os.X_OK):
        print("WASMNET_NODE names the node's program", file=sys.stderr)
        return 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Like Ctrl-C: an exception, so that `finally` runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cluster = kind(policy_text, drain)

    async def bounded():
        async with asyncio.timeout(seconds):
            return await run(cluster)

    begun = time.monotonic()
    try:
        broken = asyncio.run(bounded())
    except TimeoutError as error:
        broken = [f"not done in time: {error}"]
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.end()
    for text in broken:
        print(f"BROKEN: {text}")
    print(f"{'broken' if broken else 'ok'} after {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if broken else 0

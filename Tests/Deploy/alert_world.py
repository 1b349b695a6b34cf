"""The cluster in which alerts are caused: Redis, Prometheus with the rules of deploy/prometheus, and as many nodes as the causes need.

The rules' times are shortened, so that a test need not wait for hours: every `for` is 0 s and windows are seconds. Two thresholds are lower: the
denylist's age and the memory. Everything else is as deployed.
"""
import asyncio
import contextlib
import datetime
import itertools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

os.environ.setdefault("WASMNET_CLUSTER_OFFSET", "20000")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Fleet"))

from cluster import NODES, OFFSET, ROOT, Cluster  # noqa: E402
from session import Session  # noqa: E402

PROMETHEUS = 9190 + OFFSET
REDIS = 6390 + OFFSET
# An echo server, and a port on which nothing listens.
ECHO, NOBODY = ("127.0.9.1", 9201 + OFFSET), ("127.0.9.2", 9201 + OFFSET)
POLICY = """[network]
allow = ["127.0.9.0/24"]
max_connections = 1000
max_bandwidth_mbps = 0
[limits]
max_sessions = 1000
[clients]
identify_by = "address"
trusted_proxies = ["127.0.0.1"]
"""
SHORTER = [
    (r"for: \w+", "for: 0s"), (r"\[1h\]", "[30s]"), (r"\[\d+m\]", "[10s]"), ("offset 1m", "offset 10s"),
    ("wasmnet_denylist_age_seconds > 60", "wasmnet_denylist_age_seconds > 8"), ("> 2e9", "> 1.2e8"),
]


class Node:
    """A node besides the cluster's three: its settings, for a restart, and its addresses."""

    def __init__(self, world, name, settings):
        self.world, self.name, self.settings = world, name, settings
        self.instance, self.address = f"127.0.0.1:{world.admin_port(name)}", ("127.0.0.1", world.node_port(name))

    def signal(self, number):
        self.world.signal(self.name, number)

    async def start(self, **changes):
        self.settings |= changes
        await self.world.start_node(self.name, *self.settings.get("options", ()),
                                    **{key: value for key, value in self.settings.items() if key != "options"})

    async def restart(self, **changes):
        await self.world.kill(self.name)
        await self.start(**changes)

    async def metrics(self):
        return await asyncio.to_thread(self.world.metrics, self.name)

    async def session(self, headers=(), client=0):
        """Opens a session of a client that no other node has, so that causes do not share a client's limits."""
        return await Session.open(self.address, f"127.4.{client}.{self.name.split('-')[1]}", headers)

    def write_policy(self, text):
        """Writes this node's own policy; the caller triggers the reload."""
        path = self.world.work / f"{self.name}.toml"
        path.write_text(text)
        return path


class World(Cluster):
    def __init__(self, policy_text, drain):
        super().__init__(policy_text, drain)
        self.numbers, self.targets = itertools.count(len(NODES) + 1), {}
        # The firing instances by alert; and the time since which every rule has been evaluated.
        self.firing, self.evaluated = {}, 0.0

    async def up(self):
        self.prepare()
        self.admin_password = secrets.token_urlsafe(18)
        acl = self.work / "wasmnet.acl"
        text = acl.read_text()
        self.rights = re.search(r"user wasmnet on >\S+ (.*)", text).group(1).split()
        acl.write_text(f"{text.rstrip()}\nuser admin on >{self.admin_password} ~* &* +@all\n")
        await self.start_redis()
        self.echo = await asyncio.start_server(self.echo_back, *ECHO)
        self.start_prometheus()
        for name in NODES:
            await self.start_node(name)
            self.scrape(name)
        await self.until("Prometheus is ready", self.prometheus_is_ready)
        self.watcher = asyncio.create_task(self.watch())

    @staticmethod
    async def echo_back(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    # Prometheus

    def start_prometheus(self):
        folder = self.work / "prometheus"
        shutil.copytree(ROOT / "deploy/prometheus", folder)
        (folder / "admin-token").write_text(secrets.token_urlsafe(18))
        (folder / "targets").mkdir(exist_ok=True)
        rules = folder / "wasmnet.rules.yml"
        text = rules.read_text()
        for pattern, shorter in SHORTER:
            text, count = re.subn(pattern, shorter, text)
            assert count, f"no {pattern} in the rules"
        rules.write_text(text)
        settings = folder / "prometheus.yml"
        settings.write_text(re.sub(r"(scrape_interval|scrape_timeout|evaluation_interval): \w+", r"\1: 1s", settings.read_text()))
        self.start("prometheus", "prometheus", "--config.file", settings, "--storage.tsdb.path", folder / "data", "--web.listen-address",
                   f"127.0.0.1:{PROMETHEUS}")

    def prometheus_is_ready(self):
        try:
            return self.get(PROMETHEUS, "/-/ready")
        except OSError:
            return False

    async def ask(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else ""
        return json.loads(await asyncio.to_thread(self.get, PROMETHEUS, f"/api/v1/{path}{query}"))["data"]

    async def value(self, query):
        result = (await self.ask("query", query=query))["result"]
        return float(result[0]["value"][1]) if result else None

    async def rules(self):
        return [rule for group in (await self.ask("rules"))["groups"] for rule in group["rules"]]

    async def watch(self):
        while True:
            rules, firing = await self.rules(), {}
            for rule in rules:
                if alerts := [alert for alert in rule.get("alerts", ()) if alert["state"] == "firing"]:
                    firing[rule["name"]] = {alert["labels"].get("instance") for alert in alerts}
            self.firing = firing
            self.evaluated = min(self.moment(rule["lastEvaluation"]) for rule in rules)
            await asyncio.sleep(0.2)

    @staticmethod
    def moment(text):
        """A timestamp as seconds since 1970. Prometheus prints more decimals than Python parses."""
        text = re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")
        return datetime.datetime.fromisoformat(text).timestamp()

    async def evaluations(self, seconds=2):
        """Waits until every rule has been evaluated at least this many seconds from now, on newly scraped metrics."""
        since = time.time() + seconds
        await self.until("the rules are evaluated", lambda: self.evaluated > since)

    def scrape(self, *names):
        self.targets |= {name: f"127.0.0.1:{self.admin_port(name)}" for name in names}
        self.write_targets()

    def write_targets(self):
        path = self.work / "prometheus/targets/nodes.yml"
        # Replaced atomically: Prometheus reads the file as soon as it changes.
        path.with_suffix(".new").write_text(json.dumps([{"targets": list(self.targets.values())}]))
        path.with_suffix(".new").replace(path)

    # Nodes and Redis

    def instances(self):
        return set(self.targets.values())

    @contextlib.asynccontextmanager
    async def node(self, policy=None, **settings):
        """Starts a node that HAProxy does not use, and waits until Prometheus sees it up. `policy` is the text of a policy file."""
        node = Node(self, f"node-{next(self.numbers)}", {"proxy": "off", **settings})
        if policy:
            node.settings["policy"] = node.write_policy(policy)
        try:
            await node.start()
            self.scrape(node.name)
            while await self.value(f'up{{instance="{node.instance}"}}') != 1:
                await asyncio.sleep(0.2)
            yield node
        finally:
            self.targets.pop(node.name, None)
            self.write_targets()
            if self.is_alive(node.name):
                await self.kill(node.name)
            del self.processes[node.name]

    def user(self, name):
        """Creates a user in Redis with exactly a node's rights, and returns its URL."""
        self.redis_admin("ACL", "SETUSER", name, "reset", "on", f">{self.password}", *self.rights)
        return self.redis_url.replace("//wasmnet:", f"//{name}:")

    def redis_admin(self, *words, port=REDIS):
        login = ["--user", "admin", "--pass", self.admin_password, "--no-auth-warning"] if port == REDIS else []
        told = subprocess.run(["redis-cli", "-p", str(port), *login, *words], capture_output=True, text=True, timeout=10)
        if told.returncode or told.stdout.strip() != "OK":
            raise RuntimeError(f"Redis to {words[:2]}: {told.stdout}{told.stderr}")


@contextlib.asynccontextmanager
async def repeating(action, seconds):
    """Repeats the action in the background while the block runs. An error of the action is raised at the block's end."""
    async def run():
        while True:
            await action()
            await asyncio.sleep(seconds)
    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(error, Exception):
            raise error

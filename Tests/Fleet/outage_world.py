"""The cluster of a row of outage.py: Redis, three nodes, and a client that asks for as many sockets as it can get."""
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from fault_proxy import Way
from outage_redis import One, free_port, start, until
from session import Refusal, Session
from target import Counts, Echo

# ROOM is the number of sockets that are closed on one node after the event, for the other nodes to open.
LIMIT, NODES, ROOM = 30, 3, 8
# One node may hold the whole limit, and each of the others may open a third of it without Redis.
STATIC = LIMIT + (NODES - 1) * (LIMIT // NODES)
POLICY = '[network]\nallow = ["127.0.0.1"]\n{network}\n[limits]\nrefusals_per_sec = 0\nsessions_per_sec = 0\n{limits}\n[redis_failure]\n{failure}\n'


class World:
    """Redis, three nodes that each reach it through their own way, and a target that counts sockets."""

    def __init__(self, network=f"max_connections = {LIMIT}", limits="", failure="", redis=One):
        self.folder = tempfile.TemporaryDirectory()
        self.policy = Path(self.folder.name, "policy.toml")
        self.policy.write_text(POLICY.format(network=network, limits=limits, failure=failure))
        self.counts, self.nodes, self.tasks, self.ports, self.admin_ports = Counts(), [], [], [], []
        self.redis = redis(self.folder.name)
        self.ways = [Way() for _ in range(NODES)]

    async def begin(self, echo=Echo):
        await self.redis.start()
        server = await asyncio.get_running_loop().create_server(lambda: echo(self.counts), "127.0.0.1", 0, backlog=4096)
        self.target = server.sockets[0].getsockname()[1]
        for way in self.ways:
            self.start_node(way)
        await until(lambda: all(self.is_up(port) for port in self.ports), "the nodes")
        await until(lambda: self.redis.servers[0].ask("ZCARD", "wn:{nodes}:all") == str(NODES), "the registry")

    def start_node(self, way):
        port = free_port()
        self.tasks.append(way.listen(("127.0.0.1", port), ("127.0.0.1", self.redis.servers[0].port)))
        self.ports.append(free_port())
        self.admin_ports.append(free_port())
        self.nodes.append(start(
            Path(self.folder.name, f"node-{len(self.nodes)}.log"), os.environ["WASMNET_NODE"], "serve", "--port", self.ports[-1],
            "--admin-port", self.admin_ports[-1], "--policy", self.policy, "--redis", self.redis.url(port), "--access-log-sample", 0))

    def denylists(self):
        """The denylist in force on each node: its version and entries."""
        lists = []
        for port in self.admin_ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/denylist?limit=100", timeout=5) as answer:
                told = json.load(answer)
            lists.append((told["version"], {item["entry"] for item in told["items"]}))
        return lists

    def deny(self, *entries):
        words = [os.environ["WASMNET_NODE"], "denylist", "add", *entries, "--redis", self.redis.url(self.redis.servers[0].port)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def is_up(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    async def end(self, logs=None):
        """Ends all processes. `logs` is a folder that their logs are copied to."""
        for task in self.tasks:
            task.cancel()
        for node in self.nodes:
            node.send_signal(signal.SIGCONT)
            node.kill()
            node.wait()
        self.redis.end()
        await asyncio.sleep(0)
        if logs:
            logs.mkdir(parents=True, exist_ok=True)
            for log in Path(self.folder.name).glob("*.log"):
                shutil.copy(log, logs)
        self.folder.cleanup()


class Hammer:
    """A client with a session on each node of a world, and four pending requests for sockets on each."""

    def __init__(self, world):
        self.world, self.held = world, []
        # Nodes whose sessions request sockets; the fewest that each node held since there was room; and when growth was complete.
        self.asking, self.least, self.grown = {0}, None, None
        # The most sockets open; the last time when more than the limit were open; whether the event is over.
        self.peak, self.exceeded, self.is_over = 0, 0.0, False
        world.tasks += [asyncio.create_task(self.visit(index, port)) for index, port in enumerate(world.ports)]
        world.tasks += [asyncio.create_task(self.churn()), asyncio.create_task(self.watch())]

    async def visit(self, index, port):
        """Keeps a session open on a node, and opens it again when it ends."""
        while True:
            try:
                session = await Session.open(("127.0.0.1", port), seconds=5)
                workers = [asyncio.create_task(self.ask(index, session)) for _ in range(4)]
                await session.over
                for worker in workers:
                    worker.cancel()
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(0.2)

    async def ask(self, index, session):
        while True:
            if index not in self.asking:
                await asyncio.sleep(0.02)
                continue
            request = session.connect("127.0.0.1", self.world.target)
            try:
                await asyncio.shield(request.connected)
            except Refusal:
                await asyncio.sleep(0.05)
                continue
            request.write(b"one client\n")
            self.held.append((index, request))
            if self.least and not self.grown and self.has_grown():
                self.grown = time.monotonic()

    def has_grown(self):
        """Whether the nodes that ask have opened as many as there was room for, and all nodes together hold the limit. What a node opened is
        counted from the least that it held: sockets opened on credit end first, and it may never get as many again."""
        now = self.holdings()
        return sum(now[index] - self.least[index] for index in self.asking) >= ROOM - 2 and sum(now) >= LIMIT - 2

    def holdings(self):
        self.held = [pair for pair in self.held if not pair[1].closed.done()]
        now = [sum(index == other for other, _ in self.held) for index in range(NODES)]
        if self.least:
            self.least = list(map(min, self.least, now))
        return now

    def close(self, index, count=LIMIT):
        for request in [request for other, request in self.held if other == index][:count]:
            request.close()

    async def churn(self):
        """Closes sockets, mostly on the node that holds most, so that slots move between nodes. After the event it closes none while more than
        the limit are open, since the nodes must end those; and none while no node asks."""
        while True:
            await asyncio.sleep(0.1)
            counts = self.holdings()
            if sum(counts) < LIMIT // 2 or not self.asking or self.is_over and self.open > LIMIT:
                continue
            most = random.choice([counts.index(max(counts)), random.randrange(NODES)])
            own = [pair for pair in self.held if pair[0] == most]
            if own:
                random.choice(own)[1].close()

    async def watch(self):
        counts = self.world.counts
        while True:
            highest, counts.peak = max(counts.peak, self.open), 0
            self.peak = max(self.peak, highest)
            if highest > LIMIT:
                self.exceeded = time.monotonic()
            await asyncio.sleep(0.05)

    def make_room(self):
        """Closes sockets on the node that holds most, which returns their slots within two seconds. From now on only the others ask."""
        self.least = self.holdings()
        giver = self.least.index(max(self.least))
        self.asking = {0, 1, 2} - {giver}
        self.close(giver, ROOM)

    async def hands_over(self, copied):
        """Moves the slots of node 0 to the others, calls `copied`, and moves all slots back to node 0."""
        self.asking = {1, 2}
        self.close(0)
        await until(lambda: sum(self.holdings()[1:]) >= LIMIT - 2, "the others' sockets")
        copied()
        self.asking = {0}
        self.close(1)
        self.close(2)
        await until(lambda: self.holdings()[0] >= LIMIT - 2, "the one node's sockets")
        self.asking = {0, 1, 2}

    @property
    def open(self):
        return self.world.counts.exact("one client")

#!/usr/bin/env python3
"""A limit of 30 over three nodes that one client hammers, while something happens to Redis or to a node: what was open at most, what is open
20 seconds after it, and how long it took until a node held more than at its end. At first one node holds all. Prints a row for each, and exits 1
if one is out of its bounds.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/outage.py [--rounds 1] [--at-once 4] [ROW ...]
"""
import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fault_proxy import Way
from session import Refusal, Session
from target import Counts, Echo

NODE = os.environ.get("WASMNET_NODE", "")
LIMIT, NODES, CALM = 30, 3, 20
# Each of the two other nodes may open a third of the limit, or of the room that it last heard of.
STATIC = LIMIT + (NODES - 1) * (LIMIT // NODES)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    """Redis, three nodes with a way to it each, a target that counts, and a client with a session on each node."""

    def __init__(self, failure):
        self.folder = tempfile.TemporaryDirectory()
        self.policy = Path(self.folder.name, "policy.toml")
        self.policy.write_text(
            f'[network]\nallow = ["127.0.0.1"]\nmax_connections = {LIMIT}\n[limits]\nrefusals_per_sec = 0\nsessions_per_sec = 0\n'
            f"[redis_failure]\n{failure}\n")
        self.counts, self.held = Counts(), []
        # Nodes whose sessions ask for sockets; what each held at a moment, and when one held more.
        self.asking, self.before, self.grown = {0}, None, None
        self.redis, self.nodes, self.tasks = None, [], []
        self.redis_port, self.ports = free_port(), []
        self.ways = [Way() for _ in range(NODES)]

    def run(self, *command):
        log = open(Path(self.folder.name, "log"), "ab")
        return subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def start_redis(self):
        self.redis = self.run("redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name)
        await self.until(lambda: self.command("PING") == "PONG", "Redis")

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.redis_port), *words], capture_output=True, text=True, timeout=20)
        return done.stdout.strip()

    async def begin(self):
        await self.start_redis()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Echo(self.counts), "127.0.0.1", 0, backlog=4096)
        self.target = server.sockets[0].getsockname()[1]
        for way in self.ways:
            port = free_port()
            self.tasks.append(way.listen(("127.0.0.1", port), ("127.0.0.1", self.redis_port)))
            self.ports.append(free_port())
            self.nodes.append(self.run(
                NODE, "serve", "--port", self.ports[-1], "--admin-port", 0, "--policy", self.policy, "--redis", f"redis://127.0.0.1:{port}"))
        await self.until(lambda: all(self.is_up(port) for port in self.ports), "the nodes")
        await self.until(lambda: self.command("ZCARD", "wn:{nodes}:all") == str(NODES), "the registry")

    @staticmethod
    def is_up(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    async def until(self, condition, what):
        for _ in range(600):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{what} did not come: {Path(self.folder.name, 'log').read_text()[-2000:]}")

    def hammer(self):
        for index, port in enumerate(self.ports):
            self.tasks.append(asyncio.create_task(self.visit(index, port)))
        self.tasks.append(asyncio.create_task(self.churn()))

    async def visit(self, index, port):
        """A session, as long as its node lives, and four requests under way on it."""
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
            request = session.connect("127.0.0.1", self.target)
            try:
                await asyncio.shield(request.connected)
            except Refusal:
                await asyncio.sleep(0.05)
                continue
            request.write(b"one client\n")
            self.held.append((index, request))
            if self.before and not self.grown and self.holdings()[index] > self.before[index] + 1:
                self.grown = time.monotonic()

    def holdings(self):
        self.held = [pair for pair in self.held if not pair[1].closed.done()]
        return [sum(index == other for other, _ in self.held) for index in range(NODES)]

    def close(self, index, count=LIMIT):
        for request in [request for other, request in self.held if other == index][:count]:
            request.close()

    async def churn(self):
        """What closes is room for others: mostly where most is open, so that slots go from node to node."""
        while True:
            await asyncio.sleep(0.1)
            counts = self.holdings()
            if sum(counts) < LIMIT // 2:
                continue
            most = random.choice([counts.index(max(counts)), random.randrange(NODES)])
            own = [pair for pair in self.held if pair[0] == most]
            if own:
                random.choice(own)[1].close()

    @property
    def open(self):
        return self.counts.exact("one client")

    async def end(self):
        for task in self.tasks:
            task.cancel()
        for process in [*self.nodes, self.redis]:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        await asyncio.sleep(0)
        self.folder.cleanup()


async def stop(process, seconds):
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGCONT)


async def pauses(world):
    for _ in range(4):
        await stop(world.redis, 0.5)
        await asyncio.sleep(1)


async def kills(world):
    for _ in range(20):
        world.command("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(0.25)


async def starve(world):
    async def one(node):
        for _ in range(40):
            await stop(node, 0.135)
            await asyncio.sleep(0.015)
    await asyncio.gather(*map(one, world.nodes))


def redis_stops(seconds):
    async def event(world):
        await stop(world.redis, seconds)
    return event


def node_is_cut_off(seconds):
    async def event(world):
        world.ways[0].do("cut")
        await asyncio.sleep(seconds)
        world.ways[0].do("mend")
    return event


async def flush(world):
    world.command("FLUSHALL")


async def flush_without_a_node(world):
    world.nodes[2].kill()
    world.command("FLUSHALL")


async def restart_empty(world):
    world.redis.kill()
    world.redis.wait()
    await world.start_redis()


async def restore(world):
    """The copy is of a time when others held what one node holds now."""
    world.asking = {1, 2}
    world.close(0)
    await world.until(lambda: sum(world.holdings()[1:]) >= LIMIT - 2, "the others' sockets")
    world.command("SAVE")
    world.asking = {0}
    world.close(1)
    world.close(2)
    await world.until(lambda: world.holdings()[0] >= LIMIT - 2, "the one node's sockets")
    world.asking = {0, 1, 2}
    await restart_empty(world)


async def delete_lease(world):
    for key in world.command("KEYS", "wn:*:lc:*").split():
        world.command("DEL", key)


async def stop_at_start(world):
    await asyncio.sleep(1)
    await stop(world.redis, 8)


# What happens; [redis_failure]; the most that may be open; within how many seconds after it a node must hold more (None: there is no room).
ROWS = {
    "pauses": (pauses, "", LIMIT, 3),
    "connections-killed": (kills, "", LIMIT, 3),
    "nodes-starved": (starve, "", LIMIT, 3),
    "redis-stopped-4s": (redis_stops(4), "", LIMIT, 3),
    "redis-stopped-20s": (redis_stops(20), "", STATIC, 3),
    "redis-stopped-20s-closed": (redis_stops(20), 'default = "closed"', LIMIT, 3),
    "node-cut-off-4s": (node_is_cut_off(4), "", LIMIT, 3),
    # It keeps what it holds, and the others get as much when its leases end; when it is back what is too much ends, and there is no room.
    "node-cut-off-21s": (node_is_cut_off(21), "", 2 * LIMIT, None),
    "node-cut-off-21s-fence": (node_is_cut_off(21), 'default = "fence"', LIMIT, 3),
    "flushall": (flush, "", LIMIT, 5),
    "flushall-a-node-dead": (flush_without_a_node, "", LIMIT, 20),
    "restarted-empty": (restart_empty, "", LIMIT, 5),
    "old-snapshot": (restore, "", LIMIT, 5),
    "lease-deleted": (delete_lease, "", 2 * LIMIT, 3),
    "stopped-at-the-start": (stop_at_start, "", LIMIT, 3),
}
SHORT = ["pauses", "redis-stopped-20s-closed", "flushall", "old-snapshot"]


async def row(name):
    event, failure, bound, growth = ROWS[name]
    world = World(failure)
    try:
        await world.begin()
        world.hammer()
        if event is not stop_at_start:
            await world.until(lambda: world.holdings()[0] >= LIMIT - 2, "the limit")
        world.asking = {0, 1, 2}
        world.counts.peak = 0
        await event(world)
        # Room, which the node that holds most gives back within two seconds.
        world.before, calm = world.holdings(), time.monotonic()
        giver = world.before.index(max(world.before))
        world.asking = {0, 1, 2} - {giver}
        world.close(giver, 8)
        await asyncio.sleep(CALM)
        peak, world.counts.peak = max(world.counts.peak, world.open), 0
        await asyncio.sleep(1)
        after = max(world.counts.peak, world.open)
        grown = (world.grown or time.monotonic()) - calm
        is_kept = peak <= bound and after <= LIMIT and (growth is None or grown <= growth)
        return name, peak, bound, after, grown, growth, is_kept
    finally:
        await world.end()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {' '.join(ROWS)}; short: {' '.join(SHORT)}")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    if not NODE:
        sys.exit("outage.py: WASMNET_NODE names the node's program")
    names = SHORT if options.rows == ["short"] else options.rows or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; there are: {' '.join(ROWS)}")
    turn, missed = asyncio.Semaphore(options.at_once), 0

    async def one(name):
        async with turn:
            return await row(name)

    print(f"{'event':<26} {'peak':>5} {'bound':>6} {'20 s after':>11} {'growth':>10} {'bound':>6}", flush=True)
    for result in asyncio.as_completed([one(name) for _ in range(options.rounds) for name in names]):
        name, peak, bound, after, grown, growth, is_kept = await result
        missed += not is_kept
        print(f"{name:<26} {peak:>5} {bound:>6} {after:>11} {grown:>8.1f} s {growth or '-':>4} s  {'' if is_kept else 'MISSED'}", flush=True)
    print(f"{options.rounds * len(names) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

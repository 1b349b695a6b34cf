"""The faults of a cluster. Each returns when it is over and the process or the way works again."""
import asyncio
import math
import random
import signal
import time

from cluster import CLIENTS, NODES, TARGETS


class Faults:
    """`limit` is the policy's limit for one client. If a fault allows more, the target is told the higher bound, and later the limit again."""

    def __init__(self, cluster, load, limit, settle):
        self.cluster, self.load, self.limit = cluster, load, limit
        # Seconds after which all earlier sockets have ended: more than the longest lifetime of a socket.
        self.settle = settle
        self.strict_again, self.deck = None, []

    async def relax(self, bound):
        """Raises the target's bound, until `tighten` restores it."""
        if self.strict_again:
            self.strict_again.cancel()
        await self.cluster.target(bound=bound)

    def tighten(self):
        async def later():
            await asyncio.sleep(self.settle)
            await self.cluster.target(bound=self.limit)
        self.strict_again = self.load.spawn(later())

    async def node(self, name):
        return (await asyncio.to_thread(self.cluster.admin, name, "/version"))["node"]

    async def expect_loss(self, name):
        """Every session on this node may be lost, as long as the node runs."""
        self.load.expendable[await self.node(name)] = math.inf

    async def expect_no_more_loss(self, name):
        """Sessions that begin on this node from now on must not be lost."""
        self.load.expendable[await self.node(name)] = time.monotonic()

    async def kill_node(self, name):
        await self.expect_loss(name)
        await self.cluster.kill(name)
        await asyncio.sleep(random.uniform(0.2, 1))
        await self.cluster.start_node(name)
        await self.cluster.until("HAProxy sees three nodes", lambda: self.cluster.nodes_up() == 3)

    async def hang(self, name, seconds):
        self.cluster.signal(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.cluster.signal(name, signal.SIGCONT)
        if name in NODES:
            await self.cluster.until(f"{name} is ready", lambda: self.cluster.is_ready(name))
            await self.cluster.until("HAProxy sees three nodes", lambda: self.cluster.nodes_up() == 3)

    async def hang_node(self, name):
        """For a shorter time than its leases last (heartbeats are five seconds apart): the limit holds strictly."""
        await self.hang(name, random.uniform(1, 4))

    async def hang_node_past_its_lease(self, name):
        """Redis gives its slots to other nodes while its sockets are still open: each client may have twice its limit."""
        await self.expect_loss(name)
        await self.relax(2 * self.limit)
        await self.hang(name, 20)
        await self.expect_no_more_loss(name)
        self.tighten()

    async def way(self, name, what, **more):
        await self.cluster.tell("ways", way=name, do=what, **more)

    async def mend(self, name):
        await self.way(name, "mend")
        await self.cluster.until("HAProxy sees three nodes", lambda: self.cluster.nodes_up() == 3)

    async def cut_way(self, name):
        """Cuts the way between HAProxy and a node until HAProxy has noticed, and a little longer. A connection that carried bytes meanwhile is
        lost. The node keeps running and counts its sockets until they end, so the limit holds strictly."""
        await self.expect_loss(name)
        await self.way(name, "cut")
        try:
            await self.cluster.until("HAProxy sees that a node is out of reach", lambda: self.cluster.nodes_up() == 2)
            await asyncio.sleep(random.uniform(0.5, 3))
        finally:
            await self.mend(name)
        await self.expect_no_more_loss(name)

    async def reset_way(self, name):
        """Resets every connection of the way, on both sides at once."""
        await self.expect_loss(name)
        await self.way(name, "reset")
        await self.expect_no_more_loss(name)

    async def stall_way(self, name):
        """Delays all bytes for a while: no connection and no byte is lost."""
        await self.way(name, "stall")
        try:
            await asyncio.sleep(random.uniform(1, 4))
        finally:
            await self.mend(name)

    async def slow_way(self, name):
        await self.way(name, "slow", seconds=random.uniform(0.05, 0.2))
        try:
            await asyncio.sleep(random.uniform(2, 4))
        finally:
            await self.mend(name)

    async def kill_redis(self):
        await self.cluster.kill("redis")
        await asyncio.sleep(random.uniform(0.5, 2))
        await self.cluster.start_redis()
        await self.redis_is_back()

    async def hang_redis(self):
        await self.hang("redis", random.uniform(0.5, 2))
        await self.redis_is_back()

    async def redis_is_back(self):
        def available():
            return all(self.cluster.metrics(name)["wasmnet_redis_available"] == 1 for name in NODES)
        await self.cluster.until("all nodes have Redis again", available)

    def draw(self, dice):
        """The next random fault: its name, and a function that runs it. Each eleven in a row contain every kind once or twice."""
        if not self.deck:
            on_node = [("kill -9 of", self.kill_node), ("SIGSTOP of", self.hang_node), ("cut of the way to", self.cut_way)] * 2
            on_node += [("reset of the way to", self.reset_way), ("stall of the way to", self.stall_way), ("slow way to", self.slow_way)]
            self.deck = [*on_node, ("kill -9 of Redis", self.kill_redis), ("SIGSTOP of Redis", self.hang_redis)]
            dice.shuffle(self.deck)
        told, fault = self.deck.pop()
        if told.endswith("Redis"):
            return told, fault
        name = dice.choice(NODES)
        return f"{told} {name}", lambda: fault(name)


async def one(told, fault, invariants, faults, number):
    """Runs a fault, then checks every invariant. The check of the slots takes as long as a lease: it goes on as a task, which is returned."""
    probe, begun = f"127.3.{number // 200}.{number % 200 + 1}", time.monotonic()
    try:
        sessions = await invariants.hold(probe, CLIENTS, TARGETS)
        begun = time.monotonic()
        with faults.load.fault():
            await fault()
        over = time.monotonic() - begun
        for session in sessions:
            session.abort()
        slots = asyncio.create_task(invariants.slots(probe, told))
        await invariants.limits(told)
        await invariants.denylist(told)
        await invariants.growth(told)
        print(f"{number:3} {told}: over after {over:.1f} s, checked after {time.monotonic() - begun:.1f} s; "
              f"{len(invariants.broken) + len(invariants.load.broken)} broken", flush=True)
        return slots
    except (OSError, TimeoutError, RuntimeError) as error:
        invariants.wrong(f"after {told}: {error!r}")
        invariants.living(told)
        return None

"""Properties that must hold in a cluster whatever happens to it, checked from outside."""
import asyncio
import contextlib
import datetime
import time

from cluster import LEASE, NODES
from session import Refusal, Session, within

# Seconds added to a bound for a busy machine.
SLACK = 10
# Seconds within which every node has a new entry of the denylist, even if a message is lost.
DENYLIST = 5


class Invariants:
    def __init__(self, cluster, load, limit):
        self.cluster, self.load, self.limit, self.broken = cluster, load, limit, []
        self.excused, self.seen = 0, 0
        self.baseline, self.entries = None, set()
        self.worst_denylist = self.worst_slots = 0.0
        # Each node process's last count of dropped datagrams.
        self.dropped = {}

    def wrong(self, text):
        self.broken.append(text)

    async def limits(self, told):
        """No client has had more sockets at the target than its limit at any time, or, around an outage of Redis, than the policy's "static"
        allows."""
        broken = (await self.cluster.target())["broken"]
        fresh, self.seen = broken[self.seen:], len(broken)
        outages = self.outages() if fresh else []
        # Sockets opened in an outage may last for their longest lifetime after it.
        lasting = self.load.life[1] + 15
        worst = {}
        for at, client, count in fresh:
            is_outage = any(began - 1 <= at <= began + lasting for began in outages)
            if count > (self.outage_bound if is_outage else self.limit):
                worst[client, is_outage] = max(count, worst.get((client, is_outage), 0))
            else:
                self.excused += 1
        for (client, is_outage), count in worst.items():
            self.wrong(f"by {told}: {client} had {count} open sockets of {self.limit}, {'around' if is_outage else 'without'} an outage of Redis")
        self.datagrams(told)
        self.living(told)

    async def settled(self, told):
        """After the longest lifetime of a socket, those opened without Redis have ended. Then the limit holds again, also for a client that opens
        a socket as soon as another closes."""
        deadline = time.monotonic() + 90
        while self.is_without_redis(self.load.life[1] + 5) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        await self.cluster.target(fresh=True)
        await asyncio.sleep(5)
        peak = (await self.cluster.target())["peak"]
        if peak > self.limit:
            self.wrong(f"{self.load.life[1] + 5} s after {told}, with Redis back, a client still has {peak} open sockets of {self.limit}")

    @property
    def outage_bound(self):
        """The bound under "static", the policy's default for an outage: a node keeps the slots that it was granted, and opens more up to the limit
        divided by the number of nodes that it last saw. At most `limit` slots are granted, in the worst case all to one node; each of the two
        others then grows to its part, half the limit if it last saw two nodes. (While Redis answers and keeps its data, the bound is the limit.)"""
        return self.limit + 2 * (self.limit // 2)

    def excuses(self):
        """In words, how often nodes were without Redis, and clients above their limit because of that."""
        said = sum((self.cluster.work / f"{name}.log").read_text(errors="replace").count("limits go by redis_failure") for name in NODES)
        return f"{said} times a node went without Redis; {self.excused} times a client then had more than its limit, up to {self.outage_bound}"

    def outages(self):
        """The times when nodes lost Redis or had it again, in seconds since 1970."""
        return [at for changes in self.changes().values() for at, _ in changes]

    def is_without_redis(self, seconds):
        """Whether a node is without Redis now, or was within the last `seconds`."""
        since = time.time() - seconds
        return any(changes and (changes[-1][1] or changes[-1][0] > since) for changes in self.changes().values())

    def changes(self):
        """For each node, from its log: the times of changes, and whether it was without Redis from then on."""
        found = {}
        for name in NODES:
            for line in (self.cluster.work / f"{name}.log").read_text(errors="replace").splitlines():
                is_start = "limits go by redis_failure" in line
                if is_start or "limits are the cluster's again" in line or (found.get(name) and " listening " in line):
                    at = datetime.datetime.fromisoformat(line.split(" ", 1)[0]).timestamp()
                    found.setdefault(name, []).append((at, is_start))
        return found

    def living(self, told):
        for name in self.cluster.processes:
            if not self.cluster.is_alive(name):
                self.wrong(f"after {told}: {name} is dead; {(self.cluster.work / f'{name}.log').read_text(errors='replace')[-1000:]}")

    async def denylist(self, told):
        """Every node has a new entry within the bound, and still has all earlier ones: Redis keeps the entries."""
        entry, begun = f"203.0.{113 + len(self.entries) // 256}.{len(self.entries) % 256}", time.monotonic()
        await self.cluster.command("denylist", "add", entry, "--ttl", "2h", "--reason", "fleet")
        self.entries.add(entry)
        while True:
            lists = {name: await asyncio.to_thread(self.entries_of, name) for name in NODES}
            if len({version for version, _ in lists.values()}) == 1 and all(items == self.entries for _, items in lists.values()):
                self.worst_denylist = max(self.worst_denylist, time.monotonic() - begun)
                return
            if time.monotonic() > begun + DENYLIST + SLACK:
                differing = {name: (version, sorted(items ^ self.entries)[:10]) for name, (version, items) in lists.items()}
                self.wrong(f"after {told}: the denylist is not the same everywhere; version and differing entries: {differing}")
                # A lost entry is reported only once.
                self.entries = set.intersection(*(items for _, items in lists.values())) & self.entries
                return
            await asyncio.sleep(0.1)

    def entries_of(self, name):
        page = self.cluster.admin(name, "/v1/denylist?limit=1000")
        return page["version"], {item["entry"] for item in page["items"]}

    async def slots(self, client, told, since=None):
        """A client without sockets and sessions holds no slots after the lifetime of a lease."""
        begun = since or time.monotonic()
        deadline = begun + LEASE + SLACK
        while True:
            try:
                account = await self.cluster.quota(client)
                used = (account["limits"]["max_sessions"]["used"], account["limits"]["max_connections"]["used"])
                if used == (0, 0):
                    self.worst_slots = max(self.worst_slots, time.monotonic() - begun)
                    return
            except (RuntimeError, TimeoutError) as error:
                # Redis is away because of another fault: the time counts from its return.
                account, deadline = str(error), max(deadline, time.monotonic() + LEASE)
                if time.monotonic() > begun + 90:
                    return self.wrong(f"after {told}: {error}")
            if time.monotonic() > deadline:
                return self.wrong(f"after {told}: {client} has slots and nothing open: {account}")
            await asyncio.sleep(1)

    async def usage(self):
        """For each node: its memory in bytes, its descriptors without those of sessions and sockets, and all its descriptors."""
        found = {}
        for name in NODES:
            metrics = await asyncio.to_thread(self.cluster.metrics, name)
            explained = metrics["wasmnet_sessions"] + metrics["wasmnet_sockets"]
            found[name] = (metrics["process_resident_memory_bytes"], metrics["process_open_fds"] - explained, metrics["process_open_fds"])
        return found

    async def remember_usage(self):
        self.baseline = await self.usage()
        self.load.spawn(self.watch_drops())

    async def watch_drops(self):
        while not self.load.is_over:
            for name in NODES:
                with contextlib.suppress(OSError, KeyError):
                    metrics = await asyncio.to_thread(self.cluster.metrics, name)
                    self.dropped[name, metrics["process_start_time_seconds"]] = metrics["wasmnet_datagrams_dropped_total"]
            await asyncio.sleep(1)

    def datagrams(self, told):
        """Without a fault the only datagrams lost are those that a node dropped and counted, as it does when a client has used up its bandwidth."""
        lost, dropped = self.load.counts["datagrams lost without a fault"], sum(self.dropped.values())
        if lost > dropped:
            self.wrong(f"by {told}: {lost} datagrams were lost without a fault, of which nodes counted {dropped:.0f} as dropped")

    async def growth(self, told, memory=64 << 20, descriptors=40):
        """No node uses much more than the largest one did at the beginning under the same load. It checks again after a second, since a
        descriptor is counted before its socket."""
        for attempt in range(3):
            now = await self.usage()
            most = [max(values) for values in zip(*self.baseline.values())]
            wrong = [f"after {told}: {name} grew to {m / 2**20:.0f} MiB and {d:.0f} descriptors without a socket, from at most "
                     f"{most[0] / 2**20:.0f} MiB and {most[1]:.0f}"
                     for name, (m, d, _) in now.items() if m > most[0] * 1.5 + memory or d > most[1] + descriptors]
            if not wrong:
                return
            await asyncio.sleep(1)
        self.broken += wrong

    @staticmethod
    async def admitted(way, address, seconds=30):
        """Opens a session; tries again while a cluster that has just lost Redis or a node admits none. Raises the error of the last try."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return await Session.open(way, address)
            except (OSError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.5)

    @staticmethod
    async def hold(address, way, targets, ways=4):
        """Opens sessions of one client on all nodes, with two sockets each; a socket that is refused does not matter."""
        sessions = []
        for _ in range(ways):
            sessions.append(session := await Invariants.admitted(way, address))
            for target in targets[:2]:
                socket = session.connect(*target)
                try:
                    await within(30, socket.connected)
                    socket.write(f"{address}\n".encode())
                except (Refusal, TimeoutError):
                    pass
        return sessions

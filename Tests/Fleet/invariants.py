"""What holds in a cluster whatever happens to it, looked at from outside."""
import asyncio
import time

from cluster import LEASE, NODES
from session import Refusal, Session

# Seconds beside a bound for a busy machine.
SLACK = 10
# The denylist's bound for a lost message, in seconds.
DENYLIST = 5


class Invariants:
    def __init__(self, cluster, load):
        self.cluster, self.load, self.broken = cluster, load, []
        self.baseline, self.entries = None, 0
        self.worst_denylist = self.worst_slots = 0.0

    def wrong(self, text):
        self.broken.append(text)

    async def limits(self, told):
        """No client had more sockets at the target than the bound in force, at any moment so far."""
        for text in (await self.cluster.target())["broken"]:
            if (line := f"limit: {text}") not in self.broken:
                self.wrong(line)
        self.living(told)

    def living(self, told):
        for name in self.cluster.processes:
            if not self.cluster.is_alive(name):
                self.wrong(f"after {told}: {name} is dead; {(self.cluster.work / f'{name}.log').read_text(errors='replace')[-1000:]}")

    async def denylist(self, told):
        """A new entry is on every node within the bound, and all have the list that Redis has."""
        self.entries += 1
        entry, begun = f"203.0.113.{self.entries % 256}", time.monotonic()
        await self.cluster.command("denylist", "add", entry, "--ttl", "10m", "--reason", "fleet")
        expected = sorted((await self.cluster.command("denylist", "export")).split("\n"))
        deadline = begun + DENYLIST + SLACK
        while True:
            lists = {name: await asyncio.to_thread(self.cluster.admin, name, "/v1/denylist?limit=1000") for name in NODES}
            having = {name: {item["entry"] for item in told["items"]} for name, told in lists.items()}
            if len({told["version"] for told in lists.values()}) == 1 and all(
                    entry in items and items == having[NODES[0]] for items in having.values()):
                break
            if time.monotonic() > deadline:
                self.wrong(f"after {told}: {entry} is not on all nodes: { {n: (t['version'], t['size']) for n, t in lists.items()} }")
                return
            await asyncio.sleep(0.1)
        self.worst_denylist = max(self.worst_denylist, time.monotonic() - begun)
        missing = [item for item in having[NODES[0]] if not any(item in line for line in expected)]
        if missing:
            self.wrong(f"after {told}: nodes deny what Redis does not: {missing}")

    async def slots(self, client, told, since=None):
        """A client without sockets and sessions holds no slot when the lease time is over."""
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
                # Redis is away by another fault: the time counts from its return.
                account, deadline = str(error), max(deadline, time.monotonic() + LEASE)
                if time.monotonic() > begun + 90:
                    return self.wrong(f"after {told}: {error}")
            if time.monotonic() > deadline:
                return self.wrong(f"after {told}: {client} has slots and nothing open: {account}")
            await asyncio.sleep(1)

    async def usage(self):
        """Memory in bytes and descriptors that no session and no socket explains, by node."""
        found = {}
        for name in NODES:
            metrics = await asyncio.to_thread(self.cluster.metrics, name)
            explained = metrics["wasmnet_sessions"] + metrics["wasmnet_sockets"]
            found[name] = (metrics["process_resident_memory_bytes"], metrics["process_open_fds"] - explained, metrics["process_open_fds"])
        return found

    async def remember_usage(self):
        self.baseline = await self.usage()

    async def growth(self, told, memory=64 << 20, descriptors=40):
        """No node uses much more than the largest of them did at the beginning under the same load. One more look after a second: a
        descriptor is counted before its socket is."""
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
    async def hold(address, way, targets, sockets=6):
        """A client with two sessions and sockets on both, none of which it cares for."""
        sessions = []
        for _ in range(2):
            session = await Session.open(way, address)
            sessions.append(session)
            for index in range(sockets // 2):
                socket = session.connect(*targets[index % len(targets)])
                try:
                    await asyncio.wait_for(asyncio.shield(socket.connected), 30)
                    socket.write(f"{address}\n".encode())
                except (Refusal, TimeoutError):
                    pass
        return sessions

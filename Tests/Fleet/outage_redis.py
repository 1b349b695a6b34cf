"""The Redis of a row of outage.py: one server, a master with a replica and three Sentinels, or a Cluster of three masters."""
import asyncio
import functools
import glob
import itertools
import os
import socket
import subprocess
from pathlib import Path


@functools.cache
def ports(process):
    """Cycles through 64 ports for each process, since rows run in parallel and one after the other. They are below Linux's ephemeral ports, so that
    no connection takes one before a server listens on it, or while its server restarts."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    first = max(end - 16384, 1024) + process * 64 % 16384
    return itertools.cycle(range(first, first + 64))


def free_port():
    for port in ports(os.getpid()):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def start(log, *command, **environment):
    with open(log, "ab") as output:
        return subprocess.Popen([str(word) for word in command], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                env={**os.environ, **environment})


async def until(condition, what, seconds=30):
    for _ in range(seconds * 20):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Server:
    """One redis-server; it keeps its port and its folder over a restart."""

    def __init__(self, folder, *options, **environment):
        self.port, self.options, self.environment = free_port(), options, environment
        self.folder = Path(folder, f"redis-{self.port}")
        self.folder.mkdir()
        self.process = None

    async def start(self):
        self.process = start(f"{self.folder}.log", "redis-server", *self.options, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder,
                             **self.environment)
        await until(lambda: self.ask("PING") == "PONG", "Redis")

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-c", "-p", str(self.port), *map(str, words)], capture_output=True, text=True, timeout=20)
        return done.stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def is_master(self):
        return self.ask("ROLE").startswith("master")

    def is_in_step_with(self, master):
        return "master_link_status:up" in self.ask("INFO", "replication") and f"port={self.port},state=online" in master.ask("INFO", "replication")


class One:
    """A single server, which each node reaches through its own way."""
    environment = {}

    def __init__(self, folder):
        self.folder = folder
        self.servers = [Server(folder, "--save", "", **self.environment)]

    async def start(self):
        for server in self.servers:
            await server.start()

    def url(self, way_port):
        return f"redis://127.0.0.1:{way_port}"

    @property
    def master(self):
        """The server that has the client's leases."""
        return self.servers[0]

    def ask(self, *words):
        return self.master.ask(*words)

    def end(self):
        for server in self.servers:
            if server.process:
                server.kill()


class Stepped(One):
    """A server whose clock libfaketime sets from a file. jemalloc asks for the time before libfaketime is ready, so it uses the C library's malloc."""

    def __init__(self, folder):
        self.clock = Path(folder, "clock")
        self.step("+0")
        library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
        if not library:
            raise FileNotFoundError("libfaketime is missing: Debian's package faketime")
        self.environment = {"LD_PRELOAD": f"{library}:libc.so.6", "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                            "FAKETIME_TIMESTAMP_FILE": str(self.clock)}
        super().__init__(folder)

    def step(self, offset):
        # Replaced atomically: libfaketime reads the file whenever the clock is read.
        new = self.clock.with_suffix(".new")
        new.write_text(offset)
        new.replace(self.clock)


class WithSentinels(One):
    def __init__(self, folder):
        super().__init__(folder)
        self.servers.append(Server(folder, "--save", "", "--repl-diskless-sync-delay", 0, "--replicaof", "127.0.0.1", self.servers[0].port))

    async def start(self):
        await super().start()
        master, replica = self.servers
        await until(lambda: replica.is_in_step_with(master), "the replica's copy")
        sentinels = []
        for _ in range(3):
            sentinels.append(Server(self.folder))
            file = sentinels[-1].folder / "sentinel.conf"
            file.write_text(f"sentinel monitor main 127.0.0.1 {master.port} 2\nsentinel down-after-milliseconds main 1000\n"
                            "sentinel failover-timeout main 4000\n")
            sentinels[-1].options = (file, "--sentinel")
            await sentinels[-1].start()
        self.sentinels, self.servers = sentinels, self.servers + sentinels
        await until(lambda: all(f"127.0.0.1:{replica.port}" in one.ask("SENTINEL", "REPLICAS", "main")
                                and one.ask("SENTINEL", "CKQUORUM", "main").startswith("OK 3") for one in sentinels), "the Sentinels")

    def url(self, way_port):
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/main"

    @property
    def replica(self):
        return self.servers[1]


class InCluster(One):
    def __init__(self, folder):
        self.folder, self.servers = folder, [self.new_server(folder) for _ in range(3)]

    @staticmethod
    def new_server(folder):
        return Server(folder, "--save", "", "--cluster-enabled", "yes", "--cluster-port", free_port(), "--cluster-node-timeout", 1000,
                      "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", 0)

    async def start(self):
        await super().start()
        for index, (server, first, last) in enumerate(zip(self.servers, (0, 5461, 10923), (5460, 10922, 16383))):
            server.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for server in self.servers[1:]:
            self.meet(server)
        await until(lambda: all("cluster_slots_ok:16384" in server.ask("CLUSTER", "INFO") and "cluster_size:3" in server.ask("CLUSTER", "INFO")
                                for server in self.servers), "the Cluster")

    def meet(self, server):
        self.servers[0].ask("CLUSTER", "MEET", "127.0.0.1", server.port, server.ask("CONFIG", "GET", "cluster-port").split()[-1])

    def url(self, way_port):
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}"

    @property
    def master(self):
        return next(server for server in self.servers if server.ask("KEYS", "wn:*:lc:*") and server.is_master)

    async def add_replica(self, master):
        replica = self.new_server(self.folder)
        self.servers.append(replica)
        await replica.start()
        self.meet(replica)
        name = master.ask("CLUSTER", "MYID")
        # The replica refuses until it knows its master by gossip; and only masters that know the replica vote for it.
        await until(lambda: replica.ask("CLUSTER", "REPLICATE", name) == "OK", "the replica")
        await until(lambda: replica.is_in_step_with(master), "the replica's copy")
        await until(lambda: all(f"slave {name}" in server.ask("CLUSTER", "NODES") for server in self.servers), "who knows the replica")
        return replica

    async def move_slot(self, key, source, target):
        slot = source.ask("CLUSTER", "KEYSLOT", key)
        from_name, to_name = source.ask("CLUSTER", "MYID"), target.ask("CLUSTER", "MYID")
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from_name)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to_name)
        # New keys may come meanwhile: repeat until none is left.
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100).split():
            for one in keys:
                source.ask("MIGRATE", "127.0.0.1", target.port, one, 0, 5000)
                await asyncio.sleep(0.02)
        for server in (target, source):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", to_name)

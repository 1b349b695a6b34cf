"""Causes of the alerts about Redis and the whole cluster, in three steps like those of alert_causes."""
import asyncio
import contextlib
import signal
import subprocess

from alert_causes import attempt
from alert_world import ECHO, NODES, OFFSET, REDIS, repeating

OTHER_REDIS, LOST_REDIS = 6391 + OFFSET, 6392 + OFFSET
SLOW = ("127.0.8.1", REDIS)
# A pattern for every key of a node except the denylist's: the hash tags of buckets are shorter than "denylist".
WITHOUT_DENYLIST = ["resetkeys", *(f"~wn:{{{tag}}}:*" for tag in ("?", "??", "???", "nodes"))]


@contextlib.asynccontextmanager
async def redis_of_its_own(world, name, port, *options):
    folder = world.work / name
    folder.mkdir()
    world.start(name, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "", *options)
    yield f"redis://127.0.0.1:{port}"
    await world.kill(name)
    del world.processes[name]


async def a_redis_that_evicts(world):
    async with (redis_of_its_own(world, "other-redis", OTHER_REDIS, "--maxmemory", "64mb") as url,
                world.node(options=["--redis-optional"], redis=url) as node):
        yield {node.instance}
        world.redis_admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", port=OTHER_REDIS)
        # A node checks maxmemory-policy when it starts.
        await node.restart()
        yield
        world.redis_admin("CONFIG", "SET", "maxmemory-policy", "noeviction", port=OTHER_REDIS)
        await node.restart()
        yield


async def a_redis_that_is_emptied(world):
    """One of its nodes is killed just before; the other is stopped until the denylist has changed."""
    async with (redis_of_its_own(world, "lost-redis", LOST_REDIS) as url, world.node(options=["--redis-optional"], redis=url) as node,
                world.node(options=["--redis-optional"], redis=url) as dead):
        await world.command("denylist", "add", "203.0.113.1", "--ttl", "1h", redis=url)
        await world.until("the node sees the other one, and the denylist", lambda: world.metrics(node.name)["wasmnet_cluster_nodes"] == 2
                          and world.metrics(node.name)["wasmnet_denylist_entries"] == 1)
        yield {node.instance}
        await world.kill(dead.name)
        node.signal(signal.SIGSTOP)
        world.redis_admin("FLUSHALL", port=LOST_REDIS)
        await world.command("denylist", "add", "203.0.113.2", "--ttl", "1h", redis=url)
        node.signal(signal.SIGCONT)
        yield
        yield


async def a_user_without_a_right(world):
    async with world.node(redis=world.user("narrow")) as node:
        session = await node.session()
        async with repeating(lambda: attempt(session, ECHO), 0.2):
            yield {node.instance}
            world.redis_admin("ACL", "SETUSER", "narrow", "-eval", "-evalsha")
            yield
            world.redis_admin("ACL", "SETUSER", "narrow", "+eval", "+evalsha")
            yield


async def a_redis_that_is_slow(world):
    await world.start_ways("slow", ("redis", SLOW, ("127.0.0.1", REDIS)))
    async with world.node(redis=world.redis_url.replace("127.0.0.1", SLOW[0])) as node:
        session = await node.session()
        async with repeating(lambda: attempt(session, ECHO), 0.1):
            yield {node.instance}
            # The delay in both directions together: above the alert's threshold, and too short for an outage.
            await world.tell("slow", way="redis", do="slow", seconds=0.016)
            yield
            await world.tell("slow", way="redis", do="mend")
            yield
    await world.kill("slow")
    del world.processes["slow"]


async def a_denylist_that_a_node_may_not_read(world):
    async with world.node(redis=world.user("blind")) as node:
        await world.command("denylist", "add", "203.0.113.1", "--ttl", "1h")
        yield {node.instance}
        world.redis_admin("ACL", "SETUSER", "blind", *WITHOUT_DENYLIST)
        # So many at once that the published message does not contain the entries: nodes must read them from Redis.
        await world.command("denylist", "add", *(f"203.0.113.{number}" for number in range(2, 32)), "--ttl", "1h")
        yield
        world.user("blind")
        yield


def other_build(world):
    """The same program with another commit in it: builds are told apart by their commit."""
    told = subprocess.run([world.node_program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    commit = told.rpartition("(")[2].rstrip(")")
    data = open(world.node_program, "rb").read()
    assert commit != told and data.count(commit.encode()) == 1, f"{told}: the node must be built in a Git repository"
    program = world.work / "other-node"
    program.write_bytes(data.replace(commit.encode(), bytes(reversed(commit.encode()))))
    program.chmod(0o755)
    return program


async def an_upgrade_that_stopped_half_way(world):
    program = await asyncio.to_thread(other_build, world)
    async with world.node() as node:
        yield {None}
        await node.restart(program=program)
        yield
        await node.restart(program=None)
        yield


async def a_node_with_another_database(world):
    async with world.node() as node:
        yield world.instances()
        await node.restart(redis=world.redis_url + "/1")
        yield
        await node.restart(redis=None)
        yield


async def hung(world, names, instances):
    yield instances
    for name in names:
        world.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        for name in names:
            world.signal(name, signal.SIGCONT)
    yield


def a_node_that_hangs(world):
    return hung(world, ["node-2"], {f"127.0.0.1:{world.admin_port('node-2')}"})


def all_nodes_hang(world):
    return hung(world, NODES, {None})


def a_redis_that_hangs(world):
    return hung(world, ["redis"], world.instances())

"""The events of outage.py: what happens to Redis or to a node. Each takes the world and the hammer, or the length of a period, and returns when it
is over. It may return the time from which growth is measured, if that is not its end."""
import asyncio
import signal
import time

from outage_redis import until
from outage_world import LIMIT, ROOM


async def stop(process, seconds):
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGCONT)


async def pauses(world, hammer):
    for _ in range(4):
        await stop(world.redis.master.process, 0.5)
        await asyncio.sleep(1)


def nodes_pause(at_once):
    async def event(world, hammer):
        for _ in range(4):
            for nodes in [world.nodes] if at_once else [[node] for node in world.nodes]:
                await asyncio.gather(*(stop(node, 0.5) for node in nodes))
                await asyncio.sleep(0.5)
    return event


def connections_are_killed(kind):
    async def event(world, hammer):
        for _ in range(20):
            world.redis.ask("CLIENT", "KILL", "TYPE", kind)
            await asyncio.sleep(0.25)
    return event


async def nodes_starve(world, hammer):
    async def one(node):
        for _ in range(40):
            await stop(node, 0.135)
            await asyncio.sleep(0.015)
    await asyncio.gather(*map(one, world.nodes))


async def answers_half_of_the_time(world, period):
    await stop(world.redis.master.process, period / 2)
    await asyncio.sleep(period / 2)


async def loses_its_connections(world, period):
    world.redis.ask("CLIENT", "KILL", "TYPE", "normal")
    await asyncio.sleep(period)


def redis_stops(seconds):
    async def event(world, hammer):
        await stop(world.redis.master.process, seconds)
    return event


async def redis_stops_at_the_start(world, hammer):
    await asyncio.sleep(1)
    await stop(world.redis.master.process, 8)


def redis_is_full(seconds):
    async def event(world, hammer):
        world.redis.ask("CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(seconds)
        world.redis.ask("CONFIG", "SET", "maxmemory", "0")
    return event


def node_is_cut_off(seconds):
    async def event(world, hammer):
        world.ways[0].do("cut")
        await asyncio.sleep(seconds)
        world.ways[0].do("mend")
    return event


async def flush(world, hammer):
    world.redis.ask("FLUSHALL")


async def flush_without_pubsub(world, hammer):
    """No node gets the message that a roll call has begun."""
    for _ in range(8):
        world.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
        world.redis.ask("FLUSHALL")
        await asyncio.sleep(0.25)


async def flush_while_nobody_asks(world, hammer):
    """A node has returned slots before the flush, and no node asks for them until five seconds later."""
    hammer.make_room()
    asking, hammer.asking = hammer.asking, set()
    await asyncio.sleep(3)
    hammer.least, hammer.grown = hammer.holdings(), None
    if sum(hammer.least) > LIMIT - ROOM + 2:
        raise ChildProcessError("there is no room")
    world.redis.ask("FLUSHALL")
    flushed = time.monotonic()
    await asyncio.sleep(5)
    hammer.asking = asking
    return flushed


async def flush_without_a_node(world, hammer):
    # Nodes read the registry every five seconds: one that does not know the dead node does not wait for it.
    await asyncio.sleep(6)
    world.nodes[2].kill()
    world.redis.ask("FLUSHALL")


async def flush_while_a_node_is_cut_off(world, hammer):
    """The node that holds most slots is cut off, for less time than its leases last."""
    await asyncio.sleep(6)
    world.ways[0].do("cut")
    world.redis.ask("FLUSHALL")
    await asyncio.sleep(8)
    world.ways[0].do("mend")


async def restart(world, hammer):
    """Redis starts empty, or with the last saved snapshot."""
    world.redis.master.kill()
    await world.redis.master.start()


async def restore(world, hammer):
    """Redis starts with a snapshot of a time when the other nodes held what one node holds now."""
    await hammer.hands_over(lambda: world.redis.ask("SAVE"))
    await restart(world, hammer)


async def delete_lease(world, hammer):
    for key in world.redis.ask("KEYS", "wn:*:lc:*").split():
        world.redis.ask("DEL", key)


def clock_is_stepped(offset):
    async def event(world, hammer):
        world.redis.step(offset)
    return event


async def sentinels_fail_over(world, hammer):
    world.redis.master.kill()
    await until(lambda: world.redis.replica.is_master, "the new master")


async def sentinels_fail_over_to_an_old_copy(world, hammer):
    """The replica lacks the last four seconds, in which all slots of the other nodes went to one node."""
    master, replica = world.redis.master, world.redis.replica

    def stop_copying():
        # A password that the master does not have is an error: the replica cannot connect again.
        replica.ask("CONFIG", "SET", "masterauth", "none")
        master.ask("CLIENT", "KILL", "TYPE", "replica")

    begun = time.monotonic()
    await hammer.hands_over(stop_copying)
    await asyncio.sleep(begun + 4 - time.monotonic())
    if replica.is_in_step_with(master):
        raise ChildProcessError("the replica has a new copy")
    await sentinels_fail_over(world, hammer)


async def a_slot_moves(world, hammer):
    """To another master and back. The nodes learn it from MOVED."""
    source = world.redis.master
    key = source.ask("KEYS", "wn:*:lc:*").split()[0]
    target = next(server for server in world.redis.servers if server is not source)
    await world.redis.move_slot(key, source, target)
    await asyncio.sleep(2)
    await world.redis.move_slot(key, target, source)


async def a_cluster_fails_over(world, hammer):
    master = world.redis.master
    replica = await world.redis.add_replica(master)
    hammer.peak = 0
    master.kill()
    await until(lambda: replica.is_master, "the new master")

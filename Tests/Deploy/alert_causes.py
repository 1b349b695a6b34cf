"""Causes of the alerts about a single node: each on its own node, all at the same time.

A cause is a generator of three steps. The first yield gives the instances that the alert is to fire for, while all is well; the second comes
while the condition holds; the third when it is over.
"""
import asyncio
import contextlib
import signal

from alert_world import ECHO, NOBODY, POLICY, repeating
from session import Refusal, within
from websocket import Refused

OVERLOADED = 65


async def attempt(session, target):
    """Opens a socket and closes it at once. Returns the code of the refusal, if there is one."""
    socket = session.connect(*target)
    try:
        await within(30, socket.connected)
    except Refusal as refusal:
        return refusal.code
    socket.close()


async def sockets(session, count):
    """Opens this many sockets, which stay open. Raises Refusal."""
    opened = [session.connect(*ECHO) for _ in range(count)]
    for socket in opened:
        await within(30, socket.connected)
    return opened


async def a_policy_that_is_bad(world):
    async with world.node(policy=POLICY) as node:
        yield {node.instance}
        node.write_policy(POLICY + "\n[networks]\n")
        node.signal(signal.SIGHUP)
        yield
        node.write_policy(POLICY)
        node.signal(signal.SIGHUP)
        yield


async def tokens_that_are_tried(world):
    tokens = world.work / "tokens"
    tokens.write_text("0" * 64 + " amy\n")
    async with world.node(options=["--token-file", tokens]) as node:
        async def attempt():
            with contextlib.suppress(Refused):
                session = await node.session(headers=["Authorization: Bearer a-token-of-nobody-98765"])
                session.abort()
                raise AssertionError("a wrong token was admitted")
        yield {node.instance}
        async with repeating(attempt, 0.1):
            yield
        yield


async def a_forged_header(world):
    async with world.node() as node:
        async def attempt():
            session = await node.session(headers=["X-Forwarded-For: 203.0.113.9"])
            session.abort()
        yield {node.instance}
        async with repeating(attempt, 0.2):
            yield
        yield


async def a_client_that_scans(world):
    async with world.node() as node:
        session = await node.session()
        yield {node.instance}
        async with repeating(lambda: attempt(session, ("10.0.0.1", 22)), 0.05):
            yield
        yield


async def targets_that_refuse(world):
    async with world.node() as node:
        session = await node.session()
        async with repeating(lambda: attempt(session, ECHO), 0.5):
            yield {node.instance}
            async with repeating(lambda: attempt(session, NOBODY), 0.1):
                yield
            yield


async def a_quota_that_is_too_small(world):
    async with world.node(policy=POLICY.replace("max_connections = 1000", "max_connections = 2")) as node:
        session = await node.session()
        async with repeating(lambda: attempt(session, ECHO), 0.2):
            yield {node.instance}
            held = await sockets(session, 2)
            yield
            for socket in held:
                socket.close()
            yield


async def descriptors_that_run_low(world):
    async with world.node(prefix=["prlimit", "--nofile=1200"]) as node:
        session = await node.session()
        yield {node.instance}
        used = (await node.metrics())["process_open_fds"]
        held = await sockets(session, int(1200 * 0.85 - used))
        yield
        for socket in held:
            socket.close()
        yield


async def descriptors_that_run_out(world):
    async with world.node(prefix=["prlimit", "--nofile=150"]) as node:
        session = await node.session()
        yield {node.instance}
        held = []
        with contextlib.suppress(Refusal):
            while True:
                held += await sockets(session, 1)

        async def one_more():
            assert await attempt(session, ECHO) == OVERLOADED
        async with repeating(one_more, 0.2):
            yield
        for socket in held:
            socket.close()
        yield


async def messages_that_do_not_end(world):
    async with world.node() as node:
        yield {node.instance}
        # One client may have two incomplete messages.
        sessions = [await node.session(client=number // 2) for number in range(120)]
        for session in sessions:
            # The header of a message of 1 MiB, and the message without its last 1,000 bytes.
            session.websocket.transport.write(b"\x82\xff" + (1 << 20).to_bytes(8) + bytes(4) + bytes((1 << 20) - 1000))
        yield
        for session in sessions:
            session.abort()
        yield


async def loops_that_are_late(world):
    async with world.node() as node:
        async def interrupt():
            node.signal(signal.SIGSTOP)
            await asyncio.sleep(0.15)
            node.signal(signal.SIGCONT)
        yield {node.instance}
        async with repeating(interrupt, 0.15):
            yield
        # The last interrupt() may have been cancelled before its SIGCONT.
        node.signal(signal.SIGCONT)
        yield


async def crashes(world):
    async with world.node() as node:
        yield {node.instance}
        started = f'process_start_time_seconds{{instance="{node.instance}"}}'
        for _ in range(4):
            before = await world.value(started)
            await node.restart()
            while await world.value(started) in (before, None):
                await asyncio.sleep(0.1)
        yield
        # The alert ends only when the restarts are out of its time window.
        yield


async def a_drain_that_waits(world):
    async with world.node(drain=300) as node:
        session = await node.session()
        (socket,) = await sockets(session, 1)
        yield {node.instance}
        node.signal(signal.SIGTERM)
        yield
        socket.close()
        await world.ended(node.name, 10)
        yield

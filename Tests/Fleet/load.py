"""Clients that behave like pages: each has several sessions with several echoing sockets each, and moves a session to another node on a goaway."""
import asyncio
import collections
import contextlib
import math
import random
import time

import jobs
from cluster import CLIENTS
from jobs import STUCK
from session import Session, within


def address_of(number):
    """A client's own loopback address, not one that the policy trusts as a proxy."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


class Load:
    """All clients, with counts of what happened. `broken` describes what must not happen; it is empty after a good run."""

    def __init__(self, pause=(4, 8), life=(20, 60), hurry=4):
        self.pause, self.life, self.hurry = pause, life, hurry
        self.broken, self.counts, self.refusals = [], collections.Counter(), collections.Counter()
        self.latencies = collections.deque(maxlen=20_000)
        self.handshakes = asyncio.Semaphore(64)
        self.sessions, self.open_sockets = set(), 0
        # Nodes whose sessions may be lost, because a test kills them or cuts their way: those sessions that began up to this time.
        self.expendable = {}
        # The number of faults in progress, and when the last one ended: datagrams may be lost around a fault.
        self.faults, self.fault_ended = 0, -math.inf
        self.is_over = False
        self.tasks = set()

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.done)
        return task

    def done(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.wrong(f"the load itself failed: {error!r}")

    def wrong(self, text):
        if len(self.broken) < 100:
            self.broken.append(text)

    def add_client(self, number, sockets_by_session, mix=jobs.MIX):
        """`mix` has the kinds of sockets with their weights."""
        for sockets in sockets_by_session:
            self.spawn(Seat(self, address_of(number), sockets, mix).run())

    def judge_loss(self, session, what):
        if session.begun <= self.expendable.get(session.node, -math.inf):
            self.counts["lost with a killed node or a cut way"] += 1
        else:
            self.wrong(f"lost on {session.node}, which was not killed: {what}")

    def judge_datagram(self, sent):
        """Counts a lost datagram by the time it was sent. Around a fault UDP may lose it; otherwise a node must have counted it as dropped."""
        is_quiet = not self.faults and self.fault_ended < sent
        self.counts["datagrams lost without a fault" if is_quiet else "datagrams lost around a fault"] += 1

    @contextlib.contextmanager
    def fault(self):
        self.faults += 1
        try:
            yield
        finally:
            self.faults -= 1
            self.fault_ended = time.monotonic()

    async def until(self, told, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{told} within {seconds} s: {len(self.sessions)} sessions, {self.open_sockets} sockets, {self.summary()}")
            await asyncio.sleep(0.1)

    async def stop(self, seconds=60):
        """Lets every socket finish with all its bytes, then ends the sessions."""
        self.is_over = True
        for session in list(self.sessions):
            if not session.goaway.done():
                session.goaway.set_result(0)
        try:
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            self.wrong(f"{len(self.tasks)} clients did not end")
        for task in list(self.tasks):
            task.cancel()

    def percentiles(self, *parts):
        """Percentiles of the round trips since the last call, in seconds; None if there was no round trip."""
        ordered = sorted(self.latencies)
        self.latencies.clear()
        return [ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in parts] if ordered else [None] * len(parts)

    def summary(self):
        return {**self.counts, **{f"refused {code}": count for code, count in self.refusals.items()}}


class Seat:
    """One session of a client with this many sockets; when its node drains or dies, it is opened again on another."""

    def __init__(self, load, address, sockets, mix):
        self.load, self.address, self.sockets, self.mix = load, address, sockets, mix
        self.session, self.changed = None, asyncio.Event()
        self.left = None

    async def run(self):
        load = self.load
        for _ in range(self.sockets):
            load.spawn(self.work())
        retired = set()
        while not load.is_over:
            if not (session := await self.connect()):
                continue
            load.sessions.add(session)
            if load.is_over and not session.goaway.done():
                # It opened during stop(), which ends only the sessions that it knew.
                session.goaway.set_result(0)
            self.session = session
            self.changed.set()
            await asyncio.wait({session.goaway, session.over}, return_when=asyncio.FIRST_COMPLETED)
            self.session = None
            self.changed.clear()
            retired = {task for task in retired if not task.done()} | {load.spawn(self.retire(session))}
            if load.is_over:
                break
            self.left = session.node
            if session.goaway.done():
                load.counts["goaways"] += 1
                await asyncio.sleep(session.goaway.result() / 1000)
            elif session.over.result()[0] == 1001:
                # A draining node ends a session without sockets at once.
                load.counts["sent away"] += 1
            else:
                load.judge_loss(session, f"session {session.over.result()}")
                self.left = None
                await asyncio.sleep(random.uniform(0.2, 1))
        # Wakes the tasks that wait for a session: there is none any more.
        self.changed.set()

    async def connect(self):
        async with self.load.handshakes:
            try:
                session = await Session.open(CLIENTS, self.address, seconds=STUCK)
            except (OSError, TimeoutError) as error:
                self.load.counts[f"handshake {getattr(error, 'status', type(error).__name__)}"] += 1
                session = None
        if session is None:
            await asyncio.sleep(random.uniform(0.5, 1.5))
        elif self.left:
            self.load.counts["moved" if session.node != self.left else "back on the same node"] += 1
            self.left = None
        return session

    async def retire(self, session):
        """Waits until the old session's sockets have ended on their own, then closes it."""
        while session.sockets and not session.over.done():
            await asyncio.sleep(0.05)
        if not session.over.done():
            session.close()
        try:
            await within(STUCK, session.over)
        except TimeoutError:
            self.load.judge_loss(session, "session that does not close")
            session.abort()
        self.load.sessions.discard(session)

    async def work(self):
        load = self.load
        while not load.is_over:
            await self.changed.wait()
            session = self.session
            if session is None:
                await asyncio.sleep(0.1)
            elif not await jobs.one(self, session):
                await asyncio.sleep(random.uniform(2, 6))

"""Clients as pages are: each holds several sessions, each session several sockets that echo, and each follows a goaway elsewhere."""
import asyncio
import collections
import os
import random
import time

from cluster import CLIENTS, TARGETS
from session import Refusal, Session

# What is sent: pieces of this, so that no byte costs a random number.
NOISE = os.urandom(1 << 17)
# Seconds that anything may take on a busy machine before it counts as stuck.
STUCK = 30
CLIENT_CLOSED = 1


def address_of(number):
    """A client's own loopback address, none that the policy trusts."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


class Load:
    """Counts what happened. `broken` holds what must not happen, in words; empty after a good run."""

    def __init__(self, pause=(4, 8), life=(20, 60), hurry=4):
        self.pause, self.life, self.hurry = pause, life, hurry
        self.broken, self.counts, self.refusals = [], collections.Counter(), collections.Counter()
        self.latencies = collections.deque(maxlen=20_000)
        self.handshakes = asyncio.Semaphore(64)
        self.sessions, self.open_sockets = set(), 0
        # Nodes whose sessions may be lost: those that a test kills.
        self.expendable = set()
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

    def add_client(self, number, sockets_by_session):
        for sockets in sockets_by_session:
            self.spawn(Seat(self, address_of(number), sockets).run())

    async def until(self, told, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{told} within {seconds} s: {len(self.sessions)} sessions, {self.open_sockets} sockets, {self.summary()}")
            await asyncio.sleep(0.1)

    async def stop(self, seconds=60):
        """Lets every socket end with all its bytes, then the sessions."""
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
        """Of the round trips since the last call, in seconds; None without any."""
        ordered = sorted(self.latencies)
        self.latencies.clear()
        return [ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in parts] if ordered else [None] * len(parts)

    def summary(self):
        return {**self.counts, **{f"refused {code}": count for code, count in self.refusals.items()}}


class Seat:
    """One session of a client, taken up again elsewhere when its node goes, with so many sockets."""

    def __init__(self, load, address, sockets):
        self.load, self.address, self.sockets = load, address, sockets
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
                # A session without a socket is ended at once.
                load.counts["sent away"] += 1
            else:
                self.judge_loss(session, f"session {session.over.result()}")
                self.left = None
                await asyncio.sleep(random.uniform(0.2, 1))
        # Those who wait for a session learn that there is none.
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
        """The old session's sockets end on their own; then it has nothing more to do."""
        while session.sockets and not session.over.done():
            await asyncio.sleep(0.05)
        if not session.over.done():
            session.close()
        try:
            await asyncio.wait_for(asyncio.shield(session.over), STUCK)
        except TimeoutError:
            self.judge_loss(session, "session that does not close")
            session.abort()
        self.load.sessions.discard(session)

    def judge_loss(self, session, what):
        if session.node in self.load.expendable:
            self.load.counts["lost with a killed node"] += 1
        else:
            self.load.wrong(f"lost on {session.node}, which was not killed: {what}")

    async def work(self):
        load = self.load
        while not load.is_over:
            await self.changed.wait()
            session = self.session
            if session is None:
                await asyncio.sleep(0.1)
            elif not await self.job(session):
                await asyncio.sleep(random.uniform(2, 6))

    async def job(self, session):
        """One socket from connect to close. False: it did not come to be."""
        load = self.load
        socket = session.connect(*random.choice(TARGETS))
        try:
            await asyncio.wait_for(asyncio.shield(socket.connected), STUCK)
        except Refusal as refusal:
            load.refusals[refusal.code] += 1
            return False
        except TimeoutError:
            self.judge_loss(session, "a connect without an answer")
            socket.close()
            return False
        load.open_sockets += 1
        try:
            await self.talk(session, socket)
        finally:
            load.open_sockets -= 1
        return True

    async def talk(self, session, socket):
        load = self.load
        ends, hurried = time.monotonic() + random.uniform(*load.life), False
        data = f"{self.address}\n".encode()
        try:
            while True:
                begun = time.monotonic()
                if not await socket.until(lambda: socket.credit >= len(data), STUCK):
                    return self.judge_cut(session, socket)
                socket.write(data)
                if not await socket.until(lambda: socket.received >= socket.sent, STUCK):
                    return self.judge_cut(session, socket)
                now = time.monotonic()
                load.latencies.append(now - begun)
                if session.goaway.done() and not hurried:
                    # The node gives a time to end in: this one ends well within it.
                    ends, hurried = min(ends, now + random.uniform(0, load.hurry)), True
                if now >= ends:
                    break
                await asyncio.sleep(min(random.uniform(*load.pause), ends - now))
                at = random.randrange(65_536)
                data = NOISE[at:at + (random.randrange(32, 1_500) if random.random() > 0.02 else 40_000)]
            socket.close()
            code, text = await asyncio.wait_for(asyncio.shield(socket.closed), STUCK)
        except TimeoutError:
            self.judge_loss(session, f"a socket that is stuck at {socket.received} of {socket.sent} bytes")
            return socket.close()
        if code > CLIENT_CLOSED:
            return self.judge_cut(session, socket)
        load.counts["sockets ended"] += 1
        load.counts["bytes"] += socket.received
        if not socket.is_whole:
            load.wrong(f"bytes changed on the way: {socket.received} of {socket.sent}")
        elif hurried and not load.is_over:
            load.counts["ended while draining"] += 1

    def judge_cut(self, session, socket):
        self.judge_loss(session, f"socket {socket.closed.result()} at {socket.received} of {socket.sent} bytes")

"""One client that transfers as many bytes as it can through all nodes, measured against what its limit allows in any interval."""
import asyncio
import random
import time

from cluster import CLIENTS, TARGETS
from jobs import NOISE
from session import Refusal, Session, within

# Seconds for which a node may spend ahead.
GRANT = 0.25
# Bytes of a connection that were charged and wait in buffers on the path: in the sockets of both sides and in HAProxy.
BUFFERED = 512 << 10
CHUNK = 16 << 10


class Flood:
    """Echoes on `ways` sessions at once. `level` is the content of a leaky bucket that drains at the rate: it stays within `bound` exactly if
    the bytes of every interval t are at most burst + rate * (t + GRANT), plus BUFFERED for each session."""

    def __init__(self, address, rate, burst, ways=4):
        self.address, self.rate, self.burst, self.ways = address, rate, burst, ways
        self.bound = burst + rate * GRANT + ways * BUFFERED
        self.level = self.highest = 0.0
        self.bytes, self.at = 0, time.monotonic()
        self.is_over = False
        self.tasks = [asyncio.create_task(self.run()) for _ in range(ways)]

    def count(self, size):
        now = time.monotonic()
        self.level = max(0.0, self.level - (now - self.at) * self.rate) + size
        self.highest = max(self.highest, self.level)
        self.bytes, self.at = self.bytes + size, now

    def begin_again(self):
        self.level = self.highest = 0.0

    def bound_without_redis(self, seconds):
        """Each of the three nodes has its own burst and at most half the rate: it divides by the number of nodes that it last saw, at least two."""
        return self.bound + 3 * self.burst + 0.5 * self.rate * seconds

    def take_highest(self):
        highest, self.highest = self.highest, self.level
        return highest

    async def run(self):
        while not self.is_over:
            try:
                session = await Session.open(CLIENTS, self.address)
            except (OSError, TimeoutError):
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            try:
                await self.echo(session)
            except (Refusal, TimeoutError):
                pass
            finally:
                session.abort()
            await asyncio.sleep(random.uniform(0.2, 1))

    async def echo(self, session):
        socket = session.connect(*random.choice(TARGETS))
        await within(30, socket.connected)
        data, counted = f"{self.address}\n".encode(), 0
        while session.is_usable and not self.is_over:
            # An echoed byte is charged in both directions. Four chunks are always in transit, so that no socket is idle.
            if not await socket.until(lambda: socket.credit >= CHUNK and socket.sent - socket.received <= 4 * CHUNK, 60):
                return
            self.count(2 * (socket.received - counted))
            counted = socket.received
            socket.write(data)
            at = random.randrange(65_536)
            data = NOISE[at:at + CHUNK]

    async def stop(self):
        self.is_over = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

"""The kinds of rows of outage.py: what is measured during an event, with the bound of each measurement."""
import asyncio
import time
from dataclasses import dataclass

from fault_proxy import Way
from outage_events import answers_half_of_the_time
from outage_redis import One, until
from outage_world import LIMIT, NODES, Hammer, World
from session import Refusal, Session
from target import Echo

# Sockets are counted again CALM seconds after the event. An excess over a limit has ended AGAIN seconds after it.
CALM, AGAIN = 20, 10
# Bytes a second and burst of 8 Mbit/s; connects a second and their burst; the seconds for which a node may spend ahead.
BYTES, BYTE_BURST, CONNECTS, CONNECT_BURST, AHEAD = 1_000_000, 250_000, 20, 40, 0.3
CHUNK, FLAPPING = 4096, 20


@dataclass
class Measure:
    what: str
    value: float
    bound: float
    unit: str = ""

    @property
    def is_kept(self):
        return self.value <= self.bound

    def __str__(self):
        value, bound = (f"{number:.2f}" if self.unit == "s" else f"{number:.0f}" for number in (self.value, self.bound))
        return f"{self.what} {value} {'<=' if self.is_kept else '>'} {bound}{self.unit and ' '}{self.unit}"


@dataclass
class Slots:
    """A limit that one client always tries to exceed: the most sockets open, how long after the event more than the limit were open, the most 20
    seconds after it, and how long after it the nodes used the room again and together held the limit. At first one node holds all slots."""
    event: object
    failure: str = ""
    bound: int = LIMIT
    growth: float = 3
    # Whether room is made, and growth is measured, only from when a second has passed without an excess over the limit.
    room_later: bool = False
    redis: type = One
    at_the_start: bool = False

    def world(self):
        return World(failure=self.failure, redis=self.redis)

    async def measure(self, world):
        await world.begin()
        hammer = Hammer(world)
        if not self.at_the_start:
            await until(lambda: hammer.holdings()[0] >= LIMIT - 2, "the limit")
        hammer.asking = {0, 1, 2}
        hammer.peak = 0
        begun = await self.event(world, hammer)
        hammer.is_over, over = True, time.monotonic()
        begun = begun or over
        if self.room_later:
            while time.monotonic() < min(max(hammer.exceeded, over) + 1, over + AGAIN):
                await asyncio.sleep(0.05)
            begun = time.monotonic()
        if not hammer.least:
            hammer.make_room()
        await asyncio.sleep(over + CALM - time.monotonic())
        peak, hammer.peak = hammer.peak, 0
        await asyncio.sleep(1)
        grown = (hammer.grown or time.monotonic()) - begun
        again = [Measure("limit again after", max(hammer.exceeded - over, 0), AGAIN, "s")] if self.bound > LIMIT else []
        return [Measure("peak", peak, self.bound), *again, Measure(f"after {CALM} s", hammer.peak, LIMIT),
                Measure("growth", grown, self.growth, "s")]


class Level:
    """A leaky bucket that drains at the rate: in any time t at most `highest` + rate * t passed. `silence` is the longest time without anything."""

    def __init__(self, rate):
        self.rate, self.level, self.highest, self.silence, self.at = rate, 0.0, 0.0, 0.0, time.monotonic()

    def count(self, size):
        now = time.monotonic()
        self.silence = max(self.silence, now - self.at)
        self.level = max(0.0, self.level - (now - self.at) * self.rate) + size
        self.highest, self.at = max(self.highest, self.level), now


@dataclass
class Rates:
    """The bytes and connects of one client through all nodes, while something happens to Redis once in each period."""
    period: float
    event: object = answers_half_of_the_time
    cut_off: float = 0
    # Nodes read the number of nodes every five seconds.
    settled: float = 6

    def world(self):
        return World(network="max_connections = 0\nmax_bandwidth_mbps = 8", limits=f"connects_per_sec = {CONNECTS}\nconnect_burst = {CONNECT_BURST}")

    async def measure(self, world):
        self.bytes, self.connects = Level(BYTES), Level(CONNECTS)
        # The longest delay of this process: what passed meanwhile is counted at once.
        self.delay = 0.0
        bytes_passed = self.bytes

        class Counted(Echo):
            def data_received(self, data):
                bytes_passed.count(len(data))
                super().data_received(data)
        await world.begin(Counted)
        await asyncio.sleep(self.settled)
        for port in world.ports:
            world.tasks += [asyncio.create_task(self.flood(world, port)), *(asyncio.create_task(self.connect(world, port)) for _ in range(2))]
        world.tasks.append(asyncio.create_task(self.measure_delay()))
        await asyncio.sleep(2)
        self.bytes.silence = self.connects.silence = 0
        end = time.monotonic() + FLAPPING
        cut = asyncio.create_task(self.cut(world))
        while time.monotonic() < end:
            await self.event(world, self.period)
        await cut
        await asyncio.sleep(2 * CONNECT_BURST / CONNECTS + 1)
        # Includes a silence that lasts until now.
        self.bytes.count(0)
        self.connects.count(0)
        return [*self.measures("kB", self.bytes, BYTE_BURST, 1000, NODES * 4 * CHUNK), *self.measures("connects", self.connects, CONNECT_BURST, 1, 0)]

    def measures(self, what, level, burst, unit, under_way):
        bound = 2 * burst + level.rate * (AHEAD + self.delay + self.cut_off / NODES) + under_way
        return [Measure(what, level.highest / unit, bound / unit), Measure("none for", level.silence, 2 * burst / level.rate + 1, "s")]

    async def cut(self, world):
        if self.cut_off:
            await asyncio.sleep(FLAPPING / 4)
            world.ways[0].do("cut")
            await asyncio.sleep(self.cut_off)
            world.ways[0].do("mend")

    async def measure_delay(self):
        while True:
            due = time.monotonic() + 0.002
            await asyncio.sleep(0.002)
            self.delay = max(self.delay, time.monotonic() - due)

    async def flood(self, world, port):
        while True:
            session = await Session.open(("127.0.0.1", port))
            request, told = session.connect("127.0.0.1", world.target), 0
            try:
                await asyncio.shield(request.connected)
                while await request.until(lambda: request.sent - request.received <= 4 * CHUNK and request.credit >= CHUNK, 60):
                    self.bytes.count(request.received - told)
                    told = request.received
                    request.write(b"one client\n".ljust(CHUNK))
            except Refusal:
                await asyncio.sleep(0.1)
            session.abort()

    async def connect(self, world, port):
        session = await Session.open(("127.0.0.1", port))
        while True:
            request = session.connect("127.0.0.1", world.target)
            try:
                await asyncio.shield(request.connected)
                self.connects.count(1)
                request.close()
            except Refusal:
                await asyncio.sleep(0.05)


@dataclass
class Denylists:
    """The denylist in force after Redis lost its last entries, or all; at once another entry is added and another node starts."""
    event: object
    # Whether Redis starts again with an old snapshot.
    is_old: bool = False

    def world(self):
        return World()

    async def measure(self, world):
        def is_in_force(entries):
            return all(entries <= found for _, found in world.denylists())
        entries = {f"203.0.113.{number}" for number in range(1, 5)}
        first, second, third, added = sorted(entries)
        await world.begin()
        world.deny(first)
        if self.is_old:
            world.redis.ask("SAVE")
        world.deny(second)
        world.deny(third)
        await until(lambda: is_in_force(entries - {added}), "the denylist")
        before = max(version for version, _ in world.denylists())
        await self.event(world, None)
        begun = time.monotonic()
        world.deny(added)
        world.ways.append(Way())
        world.start_node(world.ways[-1])
        await until(lambda: world.is_up(world.ports[-1]) and world.is_up(world.admin_ports[-1]), "the new node")
        whole = time.monotonic()
        while time.monotonic() < begun + CALM:
            if not is_in_force(entries):
                whole = time.monotonic()
            await asyncio.sleep(0.1)
        lists = world.denylists()
        return [Measure("entries lost", max(len(entries - found) for _, found in lists), 0),
                Measure("nodes whose version did not rise", sum(version <= before for version, _ in lists), 0),
                Measure("whole", whole - begun, 10, "s")]


@dataclass
class Strangers:
    """Redis is emptied. At once, and again 25 seconds later, a hundred clients connect that no node has seen."""
    count: int = 100
    # The seconds within which each client has a socket: for those that come at once, and for the later ones.
    seconds: tuple = (2, 0.5)

    def world(self):
        return World(limits="max_sessions = 8")

    async def measure(self, world):
        await world.begin()
        await asyncio.sleep(5)
        world.redis.ask("FLUSHALL")
        measures = []
        for group, (told, seconds) in enumerate(zip(("at once", "25 s later"), self.seconds)):
            begun = time.monotonic()
            found = await asyncio.gather(*(self.come(world, f"127.1.{group}.{number}", world.ports[number % NODES])
                                           for number in range(1, self.count + 1)))
            measures += [Measure(f"tries {told}", max(tries for tries, _ in found), 2),
                         Measure("within", max(at for _, at in found) - begun, seconds, "s")]
            if not group:
                await asyncio.sleep(begun + 25 - time.monotonic())
        return measures

    async def come(self, world, source, port):
        """Tries until it has a session and a socket. Returns the number of tries, and the time of success."""
        for tries in range(1, 100):
            session = None
            try:
                session = await Session.open(("127.0.0.1", port), source)
                await asyncio.shield(session.connect("127.0.0.1", world.target).connected)
                return tries, time.monotonic()
            except (OSError, Refusal, TimeoutError):
                if session:
                    session.abort()
                await asyncio.sleep(0.5)
        return tries, time.monotonic()

"""What a client of the load does with one socket, from its opening to its end. Every byte that it sends must come back."""
import asyncio
import os
import random
import time

from cluster import LISTEN, TARGETS
from session import Refusal, within

# Payloads are pieces of this: generating random bytes for each would take too long.
NOISE = os.urandom(1 << 17)
# Seconds that an operation may take on a busy machine before it counts as stuck.
STUCK = 30
# Seconds after which a datagram without an answer counts as lost.
DATAGRAM = 5
CLIENT_CLOSED = 1
MIX = {"tcp": 80, "tls": 8, "udp": 8, "listener": 4}
TCP = {"tcp": 1}


async def one(seat, session):
    """Returns False if the socket did not open."""
    (kind,) = random.choices(list(seat.mix), seat.mix.values())
    host, port = random.choice(TARGETS)
    if kind == "tls":
        socket = session.connect_tls(host, port + 1)
    elif kind == "udp":
        socket = session.connect_udp(host, port)
    elif kind == "listener":
        socket = session.bind(LISTEN)
    else:
        socket = session.connect(host, port)
    return await Job(seat.load, seat.address, session, socket).run(kind)


class Job:
    def __init__(self, load, address, session, socket):
        self.load, self.address, self.session, self.socket = load, address, session, socket
        self.ends, self.is_hurried = time.monotonic() + random.uniform(*load.life), False

    async def run(self, kind):
        load, socket = self.load, self.socket
        try:
            await within(STUCK, socket.connected)
        except Refusal as refusal:
            load.refusals[refusal.code] += 1
            return False
        except TimeoutError:
            load.judge_loss(self.session, f"a {kind} socket without an answer")
            socket.close()
            return False
        load.open_sockets += 1
        try:
            talk = {"udp": self.datagrams, "listener": self.listen}.get(kind, self.stream)
            if await talk():
                load.counts[f"{kind} sockets ended"] += 1
                if self.is_hurried and not load.is_over:
                    load.counts["ended while draining"] += 1
        except TimeoutError:
            load.judge_loss(self.session, f"a {kind} socket that is stuck at {socket.received} of {socket.sent} bytes")
            socket.close()
        finally:
            load.open_sockets -= 1
        return True

    async def pause(self):
        """Waits between two messages. Returns False when it is time to end, earlier if the node drains."""
        goaway = self.session.goaway
        while True:
            now = time.monotonic()
            if goaway.done() and not self.is_hurried:
                # The node closes the sockets at the end of its drain: this one ends well before.
                self.ends, self.is_hurried = min(self.ends, now + random.uniform(0, self.load.hurry)), True
            if now >= self.ends:
                return False
            seconds = min(random.uniform(*self.load.pause), self.ends - now)
            if goaway.done():
                await asyncio.sleep(seconds)
                return True
            # A goaway ends the pause: the whole pause, after the wait for a lost datagram, could be longer than the drain.
            await asyncio.wait({goaway}, timeout=seconds)
            if not goaway.done():
                return True

    def message(self, most):
        at = random.randrange(65_536)
        return NOISE[at:at + random.randrange(32, most)]

    def cut(self, socket):
        self.load.judge_loss(self.session, f"socket {socket.closed.result()} at {socket.received} of {socket.sent} bytes")
        return False

    async def closed(self, socket):
        """Closes the socket. Returns False if it ended in another way. Raises TimeoutError."""
        socket.close()
        code, _ = await within(STUCK, socket.closed)
        return code <= CLIENT_CLOSED or self.cut(socket)

    async def stream(self):
        load, socket, data = self.load, self.socket, f"{self.address}\n".encode()
        while True:
            begun = time.monotonic()
            if not await socket.until(lambda: socket.credit >= len(data), STUCK):
                return self.cut(socket)
            socket.write(data)
            if not await socket.until(lambda: socket.received >= socket.sent, STUCK):
                return self.cut(socket)
            load.latencies.append(time.monotonic() - begun)
            if not await self.pause():
                break
            data = self.message(1_500) if random.random() > 0.02 else NOISE[:40_000]
        if not await self.closed(socket):
            return False
        load.counts["bytes"] += socket.received
        if not socket.is_whole:
            load.wrong(f"bytes changed on the way: {socket.received} of {socket.sent}")
        return True

    async def datagrams(self):
        load, socket, number = self.load, self.socket, 0
        while True:
            sent, number = time.monotonic(), number + 1
            if not await socket.echoed(number.to_bytes(8) + self.message(1_200), DATAGRAM):
                load.judge_datagram(sent)
            if socket.closed.done():
                return self.cut(socket)
            load.counts["datagrams"] += 1
            if not await self.pause():
                break
        if socket.arrived:
            # These came late, and were counted as lost.
            load.counts["datagrams late"] += len(socket.arrived)
        return await self.closed(socket)

    async def listen(self):
        """A peer connects to the listener, and the client echoes its bytes."""
        load, listener, accepted, writer = self.load, self.socket, None, None
        try:
            async with asyncio.timeout(STUCK):
                reader, writer = await asyncio.open_connection(LISTEN, listener.connected.result())
            while True:
                data = self.message(1_500)
                writer.write(data)
                if await within(STUCK, reader.readexactly(len(data))) != data:
                    load.wrong("bytes of an accepted socket changed on the way")
                accepted = listener.accepted[0]
                if not await self.pause():
                    break
            load.counts["bytes"] += accepted.received
            return await self.closed(accepted) and await self.closed(listener)
        except (OSError, EOFError) as error:
            if listener.closed.done() or accepted:
                load.judge_loss(self.session, f"a socket to a listener: {error!r}")
                listener.close()
                return False
            # A client at its limit, or on a draining node, gets no accepted sockets either.
            load.counts["turned away at a listener"] += 1
            return await self.closed(listener)
        finally:
            if writer:
                writer.transport.abort()

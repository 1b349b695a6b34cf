"""A client of the wire protocol's second version: one session, many sockets, credit in both directions."""
import asyncio
import json
import struct
import time
import zlib

from websocket import WebSocket

CONNECT, BIND, SEND, CLOSE, CONNECT_UDP, CONNECT_TLS, WINDOW = 0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0A
CONNECTED, DATA, LISTENING, ACCEPTED, CLOSED, ERROR, DENIED = range(0x81, 0x88)
DATA_FROM, UDP_BOUND, CREDIT, END, GOAWAY, HELLO = 0x88, 0x8A, 0x8B, 0x8C, 0x8D, 0x90
HEADER = struct.Struct(">BQ")
# The bytes that may be sent before the node's hello announces the window.
FIRST_WINDOW = 64 << 10


async def within(seconds, awaited):
    """Awaits a result for at most this many seconds. Raises TimeoutError; a future is not cancelled then. asyncio.wait_for is no replacement: in
    Python 3.11 it ignores a cancellation if the future is done at the same time, and the cancelled task would go on."""
    async with asyncio.timeout(seconds):
        return await (asyncio.shield(awaited) if asyncio.isfuture(awaited) else awaited)


class Refusal(Exception):
    """The node refused or denied a socket, with the protocol's code."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Socket:
    """One socket to an echoing target: received data is compared with sent data by length and CRC."""

    def __init__(self, session, number):
        loop = asyncio.get_running_loop()
        self.session, self.number = session, number
        self.sent = self.received = self.sent_sum = self.received_sum = 0
        self.credit = session.window
        self.unread = 0
        self.connected, self.closed = loop.create_future(), loop.create_future()
        self.waiting = None
        self.ended = False

    def write(self, data):
        """Sends at once; the caller must not exceed `credit`."""
        self.credit -= len(data)
        self.sent += len(data)
        self.sent_sum = zlib.crc32(data, self.sent_sum)
        self.session.send(SEND, self.number, data)

    def took(self, data):
        self.received += len(data)
        self.received_sum = zlib.crc32(data, self.received_sum)
        self.unread += len(data)
        if self.unread >= self.session.window // 2:
            self.session.send(WINDOW, self.number, struct.pack(">I", self.unread))
            self.unread = 0
        self.wake()

    def wake(self):
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    async def until(self, condition, seconds):
        """Waits until a message of the node makes the condition true. Returns False if the socket closed first. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self.closed.done():
                    return False
                self.waiting = asyncio.get_running_loop().create_future()
                await self.waiting
        return True

    @property
    def is_whole(self):
        return self.sent == self.received and self.sent_sum == self.received_sum

    def finish(self, code, text):
        if not self.connected.done():
            self.connected.set_exception(Refusal(code, text))
            self.connected.exception()
        if not self.closed.done():
            self.closed.set_result((code, text))
        self.wake()

    def close(self):
        self.session.send(CLOSE, self.number)


class Accepted(Socket):
    """A socket accepted by a listener. It echoes what it receives; its peer never has more than a window in transit."""

    def took(self, data):
        super().took(data)
        self.write(data)


class Datagrams(Socket):
    """A UDP socket to an echoing target. `arrived` holds received datagrams that no call of `echoed` has taken."""

    def __init__(self, session, number):
        super().__init__(session, number)
        self.arrived = []

    def took(self, data):
        length = struct.unpack_from(">H", data, 2)[0]
        self.arrived.append(data[4 + length:])
        self.wake()

    async def echoed(self, data, seconds):
        """Sends a datagram. Returns whether it came back in time; also True if the socket ended first, which the caller handles."""
        self.session.send(SEND, self.number, data)
        try:
            if await self.until(lambda: data in self.arrived, seconds):
                self.arrived.remove(data)
            return True
        except TimeoutError:
            return False


class Listener(Socket):
    """A listener. The result of `connected` is its port; `accepted` are the sockets that it accepted."""

    def __init__(self, session, number):
        super().__init__(session, number)
        self.accepted = []


class Session:
    """One WebSocket. The result of `over` is (code, reason); that of `goaway` is the delay before reconnecting, in milliseconds."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.sockets, self.next_number = {}, 1
        self.window = FIRST_WINDOW
        self.hello, self.goaway, self.over = loop.create_future(), loop.create_future(), loop.create_future()
        self.websocket = None
        self.errors = []
        self.begun = time.monotonic()

    @classmethod
    async def open(cls, address, source=None, headers=(), ssl=None, seconds=30, path="/"):
        """Opens a session through `address` from the local address `source`, and waits for hello. Raises Refused, OSError, TimeoutError."""
        session = cls()
        async with asyncio.timeout(seconds):
            _, session.websocket = await asyncio.get_running_loop().create_connection(
                lambda: WebSocket(session.message, session.lost, headers=headers, path=path), *address, ssl=ssl,
                local_addr=(source, 0) if source else None)
            try:
                await session.websocket.opened
                await asyncio.wait({session.hello, session.over}, return_when=asyncio.FIRST_COMPLETED)
            except BaseException:
                session.abort()
                raise
        if not session.hello.done():
            raise ConnectionError(f"closed before hello: {session.over.result()}")
        return session

    @property
    def node(self):
        return self.hello.result()["node"]

    @property
    def is_usable(self):
        return not self.goaway.done() and not self.over.done()

    def send(self, kind, number, payload=b""):
        self.websocket.send(HEADER.pack(kind, number) + payload)

    def connect(self, host, port, kind=Socket, request=CONNECT):
        socket = kind(self, self.next_number)
        self.next_number += 1
        if self.over.done():
            socket.finish(*self.over.result())
            return socket
        self.sockets[socket.number] = socket
        self.send(request, socket.number, struct.pack(">H", port) + host.encode())
        return socket

    def connect_tls(self, host, port):
        return self.connect(host, port, request=CONNECT_TLS)

    def connect_udp(self, host, port):
        return self.connect(host, port, Datagrams, CONNECT_UDP)

    def bind(self, host, port=0):
        return self.connect(host, port, Listener, BIND)

    def message(self, data):
        kind, number = HEADER.unpack_from(data)
        payload = data[HEADER.size:]
        if number == 0:
            self.of_session(kind, payload)
            return
        socket = self.sockets.get(number)
        if socket is None:
            return
        if kind in (DATA, DATA_FROM):
            socket.took(payload)
        elif kind == CREDIT:
            socket.credit += struct.unpack(">I", payload)[0]
            socket.wake()
        elif kind == CONNECTED:
            socket.connected.set_result(None)
        elif kind in (LISTENING, UDP_BOUND):
            socket.connected.set_result(struct.unpack(">H", payload)[0])
        elif kind == ACCEPTED:
            accepted = Accepted(self, struct.unpack_from(">Q", payload)[0])
            accepted.connected.set_result(None)
            self.sockets[accepted.number] = accepted
            socket.accepted.append(accepted)
            socket.wake()
        elif kind == END:
            socket.ended = True
            socket.wake()
        elif kind in (CLOSED, ERROR, DENIED):
            del self.sockets[number]
            socket.finish(payload[0], payload[1 if kind == CLOSED else 5:].decode(errors="replace"))

    def of_session(self, kind, payload):
        if kind == HELLO:
            terms = json.loads(payload)
            self.window = terms["window"]
            self.hello.set_result(terms)
        elif kind == GOAWAY and not self.goaway.done():
            self.goaway.set_result(struct.unpack_from(">I", payload)[0])
        elif kind == ERROR:
            self.errors.append(payload[5:].decode(errors="replace"))

    def lost(self, code, reason):
        if not self.over.done():
            self.over.set_result((code, reason))
        for socket in list(self.sockets.values()):
            socket.finish(code, reason)
        self.sockets.clear()

    def close(self):
        self.websocket.close()

    def abort(self):
        if self.websocket and self.websocket.transport:
            self.websocket.transport.abort()

#!/usr/bin/env python3
"""A TCP proxy whose ways between programs can be cut, stalled, slowed and reset, in both directions; bytes pass unchanged.

    fault_proxy.py NAME LISTEN TARGET [NAME LISTEN TARGET ...]

LISTEN and TARGET are host:port; all listeners with the same name form one way. Commands are JSON lines on stdin; the answer on stdout is the number
of the way's connections. The proxy ends at the end of stdin.

    {"way": "node-1", "do": "cut"}                   drops bytes and attempts to connect, without an error on either side
    {"way": "node-1", "do": "stall"}                 delays all bytes until the way is mended; none is lost
    {"way": "node-1", "do": "slow", "seconds": 0.1}  delays each read, in both directions
    {"way": "node-1", "do": "reset"}                 resets every connection on both sides at once
    {"way": "node-1", "do": "mend"}                  ends the fault; connections that lost bytes are reset
"""
import asyncio
import json
import socket
import struct
import sys

BACKLOG = 4096
CHUNK = 64 << 10
RESET = struct.pack("ii", 1, 0)


class Way:
    """All listeners with one name, and their connections."""

    def __init__(self):
        self.listeners, self.connections, self.lossy = [], set(), set()
        self.is_cut, self.delay, self.flows = False, 0.0, asyncio.Event()
        self.flows.set()

    def listen(self, address, target):
        listener = socket.create_server(address, backlog=BACKLOG)
        listener.setblocking(False)
        self.listeners.append(listener)
        return asyncio.create_task(self.accept(listener, target))

    async def accept(self, listener, target):
        loop, tasks = asyncio.get_running_loop(), set()
        while True:
            await self.flows.wait()
            near, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(self.carry(near, target))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def carry(self, near, target):
        connection = Connection(near)
        self.connections.add(connection)
        # Accepted just as the way was cut: the client's data is lost too.
        if self.is_cut:
            self.lossy.add(connection)
        try:
            await self.flows.wait()
            far = connection.add(socket.socket())
            await asyncio.get_running_loop().sock_connect(far, target)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self.pump(connection, near, far))
                pumps.create_task(self.pump(connection, far, near))
        except* OSError:
            connection.linger()
        finally:
            self.connections.discard(connection)
            self.lossy.discard(connection)
            connection.close()

    async def pump(self, connection, source, sink):
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(source, CHUNK)
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.is_cut:
                self.lossy.add(connection)
            # A connection that lost bytes carries nothing more: TCP never delivers data after a gap.
            if connection in self.lossy and data:
                continue
            await self.flows.wait()
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(sink, data)

    def do(self, what, seconds=0.0):
        if what in ("cut", "stall"):
            self.is_cut = what == "cut"
            self.flows.clear()
            # With a backlog of 0 the kernel drops further attempts to connect.
            for listener in self.listeners:
                listener.listen(0)
        elif what == "slow":
            self.delay = seconds
        elif what == "reset":
            for connection in list(self.connections):
                connection.reset()
        elif what == "mend":
            for connection in list(self.lossy):
                connection.reset()
            self.is_cut, self.delay = False, 0.0
            for listener in self.listeners:
                listener.listen(BACKLOG)
            self.flows.set()
        else:
            raise ValueError(what)


class Connection:
    """The two sockets of a connection, the second once it is open, and the task that copies between them."""

    def __init__(self, near):
        self.ends, self.task = [], asyncio.current_task()
        self.add(near)

    def add(self, end):
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ends.append(end)
        return end

    def linger(self):
        """Lets the following close send RST."""
        for end in self.ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def reset(self):
        self.linger()
        self.task.cancel()

    def close(self):
        for end in self.ends:
            end.close()


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def main(arguments):
    ways, tasks = {}, []
    for name, listen, target in zip(*[iter(arguments)] * 3):
        tasks.append(ways.setdefault(name, Way()).listen(address_of(listen), address_of(target)))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await reader.readline():
        command = json.loads(line)
        way = ways[command["way"]]
        way.do(command["do"], command.get("seconds", 0.0))
        print(json.dumps({"connections": len(way.connections)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

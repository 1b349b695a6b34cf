#!/usr/bin/env python3
"""A target that echoes, and counts each client's open sockets by their state in the kernel.

    target.py CERTIFICATE_AND_KEY ADDRESS ...

Each address is host:port for TCP and UDP; the next port is for TLS. A socket's first line names its client; datagrams are not counted.
Commands are JSON lines on stdin, with answers on stdout. The target ends at the end of stdin.

    {"bound": 12}          sets the most sockets that one client may have open from now on
    {"clients": ["a"]}     asks how many sockets those clients have open
    {"fresh": true}        resets the peak after the answer
"""
import asyncio
import json
import socket
import ssl
import sys
import time

ESTABLISHED = 1


class Counts:
    def __init__(self):
        self.open, self.peak, self.total, self.broken, self.bound = {}, 0, 0, [], 0

    def exact(self, client):
        """The number of a client's sockets that the other side has not ended. A FIN that has arrived counts even if this program has not read it."""
        return sum(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED for s in self.open.get(client, ()))

    def add(self, client, connection):
        self.open.setdefault(client, set()).add(connection)
        self.total += 1
        if len(self.open[client]) > self.peak or len(self.open[client]) > self.bound:
            count = self.exact(client)
            self.peak = max(self.peak, count)
            if self.bound and count > self.bound and len(self.broken) < 1000:
                self.broken.append((time.time(), client, count))

    def remove(self, client, connection):
        self.open[client].discard(connection)
        if not self.open[client]:
            del self.open[client]


class Echo(asyncio.Protocol):
    def __init__(self, counts):
        self.counts, self.client, self.head = counts, None, b""

    def connection_made(self, transport):
        self.transport = transport
        # Kept for speed: getsockopt is called often.
        self.socket = transport.get_extra_info("socket")

    def data_received(self, data):
        if self.client is None:
            self.head += data
            if b"\n" not in self.head:
                return
            self.client = self.head.split(b"\n", 1)[0].decode()
            self.counts.add(self.client, self.socket)
            data = self.head
        self.transport.write(data)

    # A target that cannot send stops reading: otherwise a client that does not read would fill its memory.
    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()

    def connection_lost(self, error):
        if self.client is not None:
            self.counts.remove(self.client, self.socket)


class DatagramEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.transport.sendto(data, peer)


async def main(certificate, *addresses):
    counts, loop, tls = Counts(), asyncio.get_running_loop(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    for address in addresses:
        host, port = address.rsplit(":", 1)
        await loop.create_server(lambda: Echo(counts), host, int(port), backlog=4096)
        await loop.create_server(lambda: Echo(counts), host, int(port) + 1, backlog=4096, ssl=tls)
        await loop.create_datagram_endpoint(DatagramEcho, (host, int(port)))
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await reader.readline():
        command = json.loads(line)
        counts.bound = command.get("bound", counts.bound)
        print(json.dumps({"open": sum(map(len, counts.open.values())), "peak": counts.peak, "total": counts.total, "broken": counts.broken,
                          "clients": {client: counts.exact(client) for client in command.get("clients", ())}}), flush=True)
        if command.get("fresh"):
            counts.peak = 0


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

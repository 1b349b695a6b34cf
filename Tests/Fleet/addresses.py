#!/usr/bin/env python3
"""Whose address a node counts by: the client's own, behind HAProxy and behind nginx, whatever the client claims.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/addresses.py
"""
import asyncio
import re
import socket
import ssl
import struct
import unittest

import cluster as fleet
from cluster import CLIENTS, NODES, OFFSET, ROOT, Cluster
from session import Session, within

FORGED = ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9")
# A PROXY header, version 2, that says: from 203.0.113.9:4444 to 127.0.0.1:80.
FORGED_PROXY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + struct.pack(">HH", 4444, 80)
NGINX = ("127.0.0.1", 8445 + OFFSET)
# Nodes behind nginx, which speaks no PROXY protocol to them.
PLAIN_NODE = 9004


class AddressTests(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.cluster = Cluster(fleet.policy())
        self.addCleanup(self.cluster.end)
        await self.cluster.up()

    def seen(self, names=NODES):
        """Client and address of each session on these nodes."""
        return {(s["client"], s["remote_address"].rsplit(":", 1)[0]) for name in names for s in self.cluster.sessions(name)}

    async def assert_seen_as(self, address, names=NODES):
        self.assertEqual(await self.cluster.until("a session", lambda: self.seen(names)), {(f"a:{address}", address)})

    async def ended(self, session, names=NODES):
        session.close()
        await within(10, session.over)
        await self.cluster.until("the session is gone", lambda: not self.seen(names))

    async def test_behind_haproxy(self):
        for source, headers in (("127.0.5.7", ()), ("127.0.5.8", FORGED)):
            session = await Session.open(CLIENTS, source, headers)
            await self.assert_seen_as(source)
            await self.ended(session)
        # A header of the PROXY protocol is no HTTP to HAProxy: the connection gets nowhere.
        reader, writer = await asyncio.open_connection(*CLIENTS, local_addr=("127.0.5.9", 0))
        writer.write(FORGED_PROXY + b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await within(15, reader.read(4096))
        writer.close()
        self.assertRegex(answer, rb"^(HTTP/1.1 400 |$)")
        self.assertEqual(self.seen(), set())

    async def test_a_header_from_who_is_no_proxy_admits_nobody(self):
        def counted():
            return self.cluster.metrics("node-1")["wasmnet_untrusted_proxy_headers_total"]

        before = counted()
        # Straight to a node, past HAProxy, from an address that the policy does not trust.
        reader, writer = await asyncio.open_connection("127.0.0.1", 9001 + OFFSET, local_addr=("127.0.5.10", 0))
        writer.write(FORGED_PROXY + b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wasmnet.v2\r\n\r\n")
        try:
            answer = await within(15, reader.read(4096))
        except ConnectionError:
            answer = b""
        writer.close()
        self.assertNotIn(b" 101 ", answer)
        self.assertEqual(self.seen(), set())
        await self.cluster.until("the header is counted", lambda: counted() == before + 1)

    async def test_behind_nginx(self):
        node = self.cluster
        node.start("node-4", node.node_program, "serve", "--host", "127.0.0.1", "--port", PLAIN_NODE + OFFSET, "--policy", node.policy,
                   "--admin-port", node.admin_port("node-4"), "--drain-timeout", 1, WASMNET_REDIS=node.redis_url)
        await node.until("node-4 is ready", lambda: node.is_ready("node-4"))
        self.start_nginx()
        trust = ssl.create_default_context(cafile=node.work / "certificate.pem")
        # The test connects to an address; the certificate is this run's own and names localhost.
        trust.check_hostname = False
        await node.until("nginx listens", lambda: self.listens(NGINX))
        for source, headers in (("127.0.5.17", ()), ("127.0.5.18", FORGED)):
            session = await Session.open(NGINX, source, headers, ssl=trust)
            await self.assert_seen_as(source, ("node-4",))
            await self.ended(session, ("node-4",))
        # The same claims by a client that reaches the node itself.
        session = await Session.open(("127.0.0.1", PLAIN_NODE + OFFSET), "127.0.5.19", FORGED)
        await self.assert_seen_as("127.0.5.19", ("node-4",))
        await self.ended(session, ("node-4",))

    @staticmethod
    def listens(address):
        with socket.socket() as probe:
            return probe.connect_ex(address) == 0

    def start_nginx(self):
        """deploy/nginx with this run's places, and one node behind it."""
        work = self.cluster.work
        text = (ROOT / "deploy/nginx/wasmnet.conf").read_text()
        text = text.replace("/etc/nginx/wasmnet.crt", f"{work}/certificate.pem").replace("/etc/nginx/wasmnet.key", f"{work}/key.pem")
        text = text.replace("listen 443 ssl", f"listen {NGINX[0]}:{NGINX[1]} ssl").replace("listen 80;", f"listen 127.0.0.1:{8446 + OFFSET};")
        text = re.sub(r"(?m)^.*listen \[::\].*\n", "", text).replace("/var/log/nginx", str(work))
        text = text.replace("server node-1:9000", f"server 127.0.0.1:{PLAIN_NODE + OFFSET}")
        text = re.sub(r"(?m)^ *server node-[23]:9000.*\n", "", text)
        (work / "wasmnet.conf").write_text(text)
        places = " ".join(f"{kind}_temp_path {work};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (work / "nginx.conf").write_text(
            f"pid {work}/nginx.pid; daemon off; master_process off; error_log stderr; events {{ worker_connections 64; }}\n"
            f"http {{ access_log off; {places} include {work}/wasmnet.conf; }}\n")
        self.cluster.start("nginx", "nginx", "-c", work / "nginx.conf")


if __name__ == "__main__":
    unittest.main(verbosity=2)

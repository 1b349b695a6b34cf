#!/usr/bin/env python3
"""Tests what a node sees behind HAProxy and nginx: the client's real address, whatever headers it forges, and the longest token that a node accepts.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/addresses.py
"""
import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import ssl
import struct
import time
import unittest

import cluster as fleet
from cluster import CLIENTS, NODES, OFFSET, ROOT, Cluster
from session import Session, within

FORGED = ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9")
# A PROXY protocol header of version 2: from 203.0.113.9:4444 to 127.0.0.1:80.
FORGED_PROXY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + struct.pack(">HH", 4444, 80)
NGINX = ("127.0.0.1", 8445 + OFFSET)
# The port of node-4 behind nginx, which does not send the PROXY protocol to it.
PLAIN_NODE = 9004


class AddressTests(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.cluster = Cluster(fleet.policy())
        self.addCleanup(self.cluster.end)
        await self.cluster.up()

    def seen(self, names=NODES):
        """The client and the address of each session on these nodes."""
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
        # A PROXY protocol header is not HTTP for HAProxy: the connection fails.
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
        # Directly to a node, bypassing HAProxy, from an address that the policy does not trust.
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
        await start_behind_nginx(node)
        for source, headers in (("127.0.5.17", ()), ("127.0.5.18", FORGED)):
            session = await Session.open(NGINX, source, headers, ssl=trust(node))
            await self.assert_seen_as(source, ("node-4",))
            await self.ended(session, ("node-4",))
        # The same forged headers from a client that connects to the node directly.
        session = await Session.open(("127.0.0.1", PLAIN_NODE + OFFSET), "127.0.5.19", FORGED)
        await self.assert_seen_as("127.0.5.19", ("node-4",))
        await self.ended(session, ("node-4",))


class TokenCluster(Cluster):
    """Nodes that require a JWT signed with `secret`."""
    secret = b"a secret of thirty-two bytes, or more"

    def prepare(self):
        super().prepare()
        (self.work / "secret").write_bytes(self.secret)
        self.policy.write_text(self.policy.read_text().replace('identify_by = "address"', 'identify_by = "token"\nrequire_token = true'))

    async def start_node(self, name, *options, **settings):
        await super().start_node(name, *options, "--jwt-key-file", f"HS256:{self.work / 'secret'}", **settings)

    def token(self, length):
        """A token of this many characters or slightly fewer, with an unused claim as padding."""
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        head = part(b'{"alg":"HS256","typ":"JWT"}')
        for padding in range(length * 3 // 4, 0, -1):
            claims = {"sub": "amy", "exp": int(time.time()) + 600, "pad": "x" * padding}
            body = head + b"." + part(json.dumps(claims).encode())
            token = body + b"." + part(hmac.digest(self.secret, body, hashlib.sha256))
            if len(token) <= length:
                return token.decode()
        raise ValueError(length)


class LongTokenTests(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.cluster = TokenCluster(fleet.policy())
        self.addCleanup(self.cluster.end)
        await self.cluster.up()
        await start_behind_nginx(self.cluster)

    async def test_a_token_of_8_kib_passes_whichever_way_it_comes(self):
        token = self.cluster.token(8192)
        self.assertGreater(len(token), 8190)
        # Cookies, as a browser sends them, for a request header of about 15 KiB.
        cookies = [f"Cookie: c={'x' * 3000}", f"Cookie: d={'y' * 3000}"]
        for balancer, options in ((CLIENTS, {}), (NGINX, {"ssl": trust(self.cluster)})):
            for headers, path in (
                    ([f"Sec-WebSocket-Protocol: wasmnet.bearer.{token}", *cookies], "/"),
                    ([f"Authorization: Bearer {token}", *cookies], "/"), (cookies, f"/?token={token}")):
                with self.subTest(balancer=balancer, header=(headers[0][:20], path[:8])):
                    session = await Session.open(balancer, "127.0.5.21", headers, path=path, **options)
                    session.close()
                    await within(10, session.over)
        # The token is in no balancer's log.
        await asyncio.sleep(0.2)
        for log in ("haproxy.log", "wasmnet.log"):
            text = (self.cluster.work / log).read_text()
            self.assertIn("GET", text)
            self.assertNotIn(token[-64:], text, log)


def trust(cluster):
    context = ssl.create_default_context(cafile=cluster.work / "certificate.pem")
    # The test connects to an address; the certificate of this run is for localhost.
    context.check_hostname = False
    return context


async def start_behind_nginx(cluster):
    """Starts node-4, with nginx in front of it."""
    await cluster.start_node("node-4", proxy="off", drain=1)
    start_nginx(cluster)
    await cluster.until("nginx listens", lambda: listens(NGINX))


def listens(address):
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def start_nginx(cluster):
    """Starts nginx with the configuration of deploy/nginx, with this run's paths and ports and a single node."""
    work = cluster.work
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
    cluster.start("nginx", "nginx", "-c", work / "nginx.conf")


if __name__ == "__main__":
    unittest.main(verbosity=2)

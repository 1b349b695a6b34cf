#!/usr/bin/env python3
"""Causes the conditions of alerts in a cluster that scripts/cluster.sh runs, and waits for Prometheus to fire them.

    WASMNET_NODE=path/to/wasmnet-node Tests/Deploy/cluster_alerts.py

The rules are those of deploy/prometheus with shorter times: what is tested is that real nodes expose what the alerts look at.
Conditions that take a machine's memory, hours or a fault of the node's are in the rules' unit tests only.
"""
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import tempfile
import threading
import time
import unittest
from pathlib import Path

from cluster_script import LONGEST, OFFSET, Script, get

PLAIN = ("127.0.0.1", 8080 + OFFSET)


def firing():
    """Alerts that fire now, with the instances they fire for."""
    found = {}
    for alert in json.loads(get(9190, "/api/v1/alerts"))["data"]["alerts"]:
        if alert["state"] == "firing":
            found.setdefault(alert["labels"]["alertname"], set()).add(alert["labels"].get("instance"))
    return found


def wait_for(condition):
    """Whether it came to be before the longest wait was over."""
    deadline = time.monotonic() + LONGEST
    while not (result := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return result


def upgrade(token=None):
    """A WebSocket's connection through HAProxy and the answer's first line."""
    connection = socket.create_connection(PLAIN, timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
             "Sec-WebSocket-Version: 13"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection, connection.recv(4096).split(b"\r\n")[0].decode()


def send_text(connection, text):
    """One masked text frame of less than 126 bytes."""
    mask = os.urandom(4)
    payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text.encode()))
    connection.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + payload)


@contextlib.contextmanager
def repeating(action, seconds):
    """Does something again and again beside what the block does."""
    stop = threading.Event()

    def run():
        while not stop.wait(seconds):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class ClusterAlertTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        work = Path(cls.folder.name) / "cluster"
        tokens = Path(cls.folder.name) / "tokens"
        tokens.write_text(hashlib.sha256(b"the-token-of-amy-0123456789").hexdigest() + " amy\n")
        cls.script = Script(cls.folder.name, WASMNET_CLUSTER_WORK=str(work), WASMNET_TOKEN_FILE=str(tokens))
        cls.addClassCleanup(cls.end)
        cls.parts = cls.script.up()
        cls.policy = work / "policy.toml"
        rules = work / "prometheus/wasmnet.rules.yml"
        text = re.sub(r"for: \w+", "for: 0s", rules.read_text())
        rules.write_text(re.sub(r"\[\d+m\]|offset 1m", lambda match: "offset 10s" if "offset" in match.group() else "[10s]", text))
        settings = work / "prometheus/prometheus.yml"
        settings.write_text(settings.read_text().replace(": 10s", ": 1s").replace(": 5s", ": 1s"))
        os.kill(cls.parts["prometheus"], signal.SIGHUP)

    @classmethod
    def end(cls):
        os.kill(cls.script.process, signal.SIGTERM)
        cls.script.end()

    @contextlib.contextmanager
    def stopped(self, *parts):
        for part in parts:
            os.kill(self.parts[part], signal.SIGSTOP)
        try:
            yield
        finally:
            for part in parts:
                os.kill(self.parts[part], signal.SIGCONT)

    def instance(self, number):
        return f"127.0.0.1:{9100 + number + OFFSET}"

    def assert_fires(self, alert, instances=None):
        self.assertTrue(wait_for(lambda: alert in firing() and (instances is None or firing().get(alert) == instances)), f"{alert}: {firing()}")

    def assert_ends(self, alert):
        self.assertTrue(wait_for(lambda: alert not in firing()), f"{alert}: {firing()}")

    def test_a_node_that_hangs_is_down_and_no_other(self):
        self.assert_ends("WasmnetNodeDown")
        with self.stopped("node-2"):
            self.assert_fires("WasmnetNodeDown", {self.instance(2)})
        self.assert_ends("WasmnetNodeDown")

    def test_without_any_node_all_are_down(self):
        self.assert_ends("WasmnetAllNodesDown")
        with self.stopped("node-1", "node-2", "node-3"):
            self.assert_fires("WasmnetAllNodesDown")
        self.assert_ends("WasmnetAllNodesDown")

    def test_a_redis_that_hangs_is_unavailable_to_all(self):
        self.assert_ends("WasmnetRedisUnavailable")
        with self.stopped("redis"):
            self.assert_fires("WasmnetRedisUnavailable", {self.instance(number) for number in (1, 2, 3)})
        self.assert_ends("WasmnetRedisUnavailable")

    def test_a_bad_policy_is_told_until_it_is_mended(self):
        self.assert_ends("WasmnetPolicyNotReloaded")
        good = self.policy.read_text()
        self.policy.write_text(good + "\n[networks]\n")
        os.kill(self.parts["node-1"], signal.SIGHUP)
        try:
            self.assert_fires("WasmnetPolicyNotReloaded")
        finally:
            self.policy.write_text(good)
        for part in ("node-1", "node-2", "node-3"):
            os.kill(self.parts[part], signal.SIGHUP)
        self.assert_ends("WasmnetPolicyNotReloaded")

    def test_tokens_that_are_tried_out(self):
        self.assert_ends("WasmnetNotAdmitted")
        answers = set()

        def attempt():
            connection, answer = upgrade("the-token-of-nobody-98765")
            connection.close()
            answers.add(answer)

        with repeating(attempt, 0.05):
            self.assert_fires("WasmnetNotAdmitted")
        self.assertEqual(answers, {"HTTP/1.1 401 Unauthorized"})

    def test_a_client_that_scans(self):
        self.assert_ends("WasmnetDenialsHigh")
        connection, answer = upgrade("the-token-of-amy-0123456789")
        self.assertEqual(answer, "HTTP/1.1 101 Switching Protocols")
        numbers = iter(range(1, 1_000_000))
        with connection, repeating(
                lambda: send_text(connection, json.dumps({"op": "connect", "id": next(numbers), "addr": "10.0.0.1", "port": 22})), 0.06):
            self.assert_fires("WasmnetDenialsHigh")


if __name__ == "__main__":
    if not os.access(os.environ.get("WASMNET_NODE", ""), os.X_OK):
        raise SystemExit("cluster_alerts.py: WASMNET_NODE names the node's program")
    unittest.main(verbosity=2)

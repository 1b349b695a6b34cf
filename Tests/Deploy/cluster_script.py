#!/usr/bin/env python3
"""Tests scripts/cluster.sh as a person uses it: in a terminal, with Ctrl-C, and with processes of the cluster that die.

    WASMNET_NODE=path/to/wasmnet-node Tests/Deploy/cluster_script.py

Every wait ends after two minutes. All tests use the script's ports plus 20,000.
"""
import contextlib
import gzip
import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OFFSET = 20_000
LONGEST = 120
PARTS = {"redis", "node-1", "node-2", "node-3", "haproxy", "prometheus"}


def is_alive(process):
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port + OFFSET}{path}", timeout=10) as answer:
        return answer.read().decode()


class Script:
    """The script in its own terminal, with its temporary folder inside the test's."""

    def __init__(self, folder, ignored=(), **environment):
        self.output = ""
        environment = {**os.environ, "TMPDIR": folder, "WASMNET_CLUSTER_OFFSET": str(OFFSET), **environment}
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            # The signal handling that a terminal gives, however this test was started.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execve(ROOT / "scripts/cluster.sh", ["cluster.sh"], environment)

    def read(self, until=None):
        """Reads until the output contains the text, or to the end of the output."""
        deadline = time.monotonic() + LONGEST
        while until is None or until not in self.output:
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(self.output)
            try:
                data = os.read(self.terminal, 65_536)
            except OSError:
                data = b""
            if not data:
                if until is None:
                    return
                raise EOFError(self.output)
            self.output += data.decode(errors="replace")

    def up(self):
        """Waits until the cluster is up, and returns its process ids by name."""
        self.read("Ctrl-C ends it all")
        self.parts = {name: int(number) for number, name in re.findall(r"process +(\d+) (\S+)", self.output)}
        return self.parts

    def end(self):
        """Reads to the end, and returns the script's exit code, or minus the signal that ended it."""
        self.read()
        _, status = os.waitpid(self.process, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


class ClusterScriptTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    @contextlib.contextmanager
    def cluster(self, ignored=()):
        script = Script(self.folder, ignored)
        try:
            self.assertEqual(script.up().keys(), PARTS)
            yield script
        finally:
            # Also after a failure: the next test needs the ports.
            if is_alive(script.process):
                os.kill(script.process, signal.SIGTERM)
                script.end()

    def assert_nothing_is_left(self, script, folder=True):
        deadline = time.monotonic() + LONGEST
        while (left := [name for name, process in script.parts.items() if is_alive(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(left, [])
        if folder:
            self.assertEqual(os.listdir(self.folder), [])

    def test_ctrl_c_ends_everything_and_leaves_nothing(self):
        with self.cluster() as script:
            os.write(script.terminal, b"\x03")
            self.assertEqual(script.end(), 0, script.output)
            self.assert_nothing_is_left(script)

    def test_ctrl_c_and_sigterm_work_also_where_they_were_ignored_before(self):
        # As when another script starts this one in the background.
        with self.cluster(ignored=(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)) as script:
            os.write(script.terminal, b"\x03")
            self.assertEqual(script.end(), 0, script.output)
            self.assert_nothing_is_left(script)
        with self.cluster(ignored=(signal.SIGINT, signal.SIGTERM)) as script:
            os.kill(script.process, signal.SIGTERM)
            self.assertEqual(script.end(), 0, script.output)
            self.assert_nothing_is_left(script)

    def test_a_part_that_dies_is_named_and_ends_the_rest(self):
        for part in sorted(PARTS):
            with self.subTest(part), self.cluster() as script:
                os.kill(script.parts[part], signal.SIGKILL)
                self.assertEqual(script.end(), 1, script.output)
                self.assertIn(f"{part} ended by itself with status 137", script.output)
                self.assert_nothing_is_left(script)

    def test_a_script_that_is_killed_takes_its_parts_with_it(self):
        with self.cluster() as script:
            os.kill(script.process, signal.SIGKILL)
            self.assertEqual(script.end(), -signal.SIGKILL)
            self.assert_nothing_is_left(script, folder=False)

    def test_a_port_that_is_taken_is_named_before_anything_starts(self):
        with socket.create_server(("127.0.0.1", 8404 + OFFSET)):
            script = Script(self.folder)
            self.assertEqual(script.end(), 1)
        self.assertIn(f"port {8404 + OFFSET} is taken", script.output)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_node_that_does_not_start_is_told_with_its_words(self):
        script = Script(self.folder, WASMNET_PROXY_PROTOCOL="", WASMNET_LOG_LEVEL="loud")
        self.assertEqual(script.end(), 1)
        self.assertIn("WASMNET_LOG_LEVEL is one of", script.output)
        self.assertIn("node-1 ended by itself", script.output)
        self.assertEqual(os.listdir(self.folder), [])

    def test_haproxy_sees_three_nodes_and_prometheus_scrapes_all(self):
        with self.cluster() as script:
            self.wait(lambda: get(8404, "/metrics").count('haproxy_server_status{proxy="nodes",server="node-')
                      and len(re.findall(r'haproxy_server_status\{proxy="nodes",server="node-\d",state="UP"\} 1', get(8404, "/metrics"))) == 3)
            rules = json.loads(get(9190, "/api/v1/rules"))["data"]["groups"]
            alerts = [rule for group in rules for rule in group["rules"] if rule["type"] == "alerting"]
            self.assertGreater(len(alerts), 20)

            def health():
                targets = json.loads(get(9190, "/api/v1/targets"))["data"]["activeTargets"]
                return {target["scrapeUrl"].split("//")[1]: target["health"] for target in targets}

            expected = {f"127.0.0.1:{port + OFFSET}/metrics": "up" for port in (8404, 9190, 9101, 9102, 9103)}
            self.wait(lambda: health() == expected, health)
            # The client's files through HAProxy: gzipped as in a release, all on one connection.
            connection = http.client.HTTPConnection("127.0.0.1", 8080 + OFFSET, timeout=30)
            for path in ("client/wasmnet-client.min.js", "client/lib/core.js", "playground/"):
                connection.request("GET", f"/{path}", headers={"Accept-Encoding": "gzip"})
                opened = connection.sock
                answer = connection.getresponse()
                self.assertEqual((answer.status, answer.headers["Content-Encoding"]), (200, "gzip"), path)
                self.assertTrue(gzip.decompress(answer.read()))
                self.assertIs(connection.sock, opened)
            connection.close()
            os.kill(script.process, signal.SIGTERM)
            self.assertEqual(script.end(), 0)
            self.assert_nothing_is_left(script)

    def wait(self, condition, told=lambda: ""):
        deadline = time.monotonic() + LONGEST
        while not condition():
            self.assertLess(time.monotonic(), deadline, told())
            time.sleep(0.2)


if __name__ == "__main__":
    if not os.access(os.environ.get("WASMNET_NODE", ""), os.X_OK):
        raise SystemExit("cluster_script.py: WASMNET_NODE names the node's program")
    unittest.main(verbosity=2)

#!/usr/bin/env python3
"""Counts the node's instructions, and its calls of malloc, calloc and realloc, for fixed exchanges of protocol v2, with valgrind's callgrind.
Unlike times, these counts are nearly the same in each run and on each machine; they vary by about 2 %, seldom by more, with the number of messages in one read.

    WASMNET_NODE=path/to/wasmnet-node Benchmarks/instructions.py [--thresholds FILE]

Prints each figure beside its threshold (Benchmarks/thresholds.json), and exits 1 if one is above 105 % of it. The node must be a build of
scripts/release.sh: callgrind counts nothing in a shared Swift runtime.
"""
import argparse
import asyncio
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# The least of these runs counts: how many messages the node finds at once is up to the machine, and fewer cost more.
RUNS = 3
sys.path.insert(0, str(HERE.parent / "Tests" / "Fleet"))
from session import Session  # noqa: E402

POLICY = '[network]\nallow = ["127.0.0.1"]\nmax_connections = 0\n[limits]\nconnects_per_sec = 0\n'
ALLOCATORS = {"malloc", "calloc", "realloc"}


class Node:
    """A node of one thread under callgrind."""

    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        # valgrind 3.19 cannot read debug information in DWARF 5.
        stripped = self.folder / "wasmnet-node"
        subprocess.run(["strip", "--strip-debug", "-o", stripped, program], check=True)
        (self.folder / "policy.toml").write_text(POLICY)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = self.folder / "log"
        self.process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.folder}/counts", stripped, "serve", "--port", str(self.port), "--no-admin",
             "--threads", "1", "--policy", self.folder / "policy.toml"], stdout=self.log.open("wb"), stderr=subprocess.STDOUT)

    async def session(self):
        for _ in range(600):
            try:
                return await Session.open(("127.0.0.1", self.port))
            except OSError:
                if self.process.poll() is not None:
                    break
                await asyncio.sleep(0.1)
        raise SystemExit(f"the node did not start under callgrind:\n{self.log.read_text()[-2000:]}")

    def counts(self):
        """Instructions and allocations since the last call."""
        subprocess.run(["callgrind_control", "--dump", str(self.process.pid)], check=True, capture_output=True)
        newest = max(self.folder.glob("counts.*"), key=os.path.getmtime)
        names, allocations, text = {}, 0, newest.read_text()
        newest.unlink()
        callee = None
        for line in text.splitlines():
            if match := re.match(r"c?fn=\((\d+)\)(?: (.*))?", line):
                if match[2]:
                    names[match[1]] = match[2].split("'")[0]
                if line[0] == "c":
                    callee = names.get(match[1])
            elif line.startswith("calls=") and callee in ALLOCATORS:
                allocations += int(line[6:].split()[0])
        return int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1]), allocations


class Echo(asyncio.Protocol):
    """The target: an echo server."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def round_trips(one, count, size):
    for _ in range(count):
        goal = one.received + size
        one.write(bytes(size))
        await one.until(lambda: one.received >= goal, 60)


async def bursts(sockets, count, size):
    for _ in range(count):
        goals = [(one, one.received + size) for one in sockets]
        for one in sockets:
            one.write(bytes(size))
        for one, goal in goals:
            await one.until(lambda: one.received >= goal, 60)


async def connects(session, port, count):
    for _ in range(count):
        one = session.connect("127.0.0.1", port)
        await one.connected
        await round_trips(one, 1, 1)
        one.close()
        await one.closed


async def measure(program):
    """Instructions and allocations of one exchange, by its name."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        node = Node(program, folder)
        try:
            session = await node.session()
            sockets = [session.connect("127.0.0.1", port) for _ in range(16)]
            for one in sockets:
                await one.connected
            work = {
                "64 B there and back": (1000, lambda n: round_trips(sockets[0], n, 64)),
                "4 KiB there and back, 16 sockets at once": (1600, lambda n: bursts(sockets, n // 16, 4096)),
                "connect, a byte there and back, close": (200, lambda n: connects(session, port, n)),
            }
            figures = {}
            for name, (count, run) in work.items():
                await run(count // 5)
                node.counts()
                runs = []
                for _ in range(RUNS):
                    await run(count)
                    runs.append(node.counts())
                figures[name] = [min(values) / count for values in zip(*runs)]
            session.close()
            return figures
        finally:
            node.process.terminate()
            node.process.wait(60)
            server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--thresholds", type=pathlib.Path, default=HERE / "thresholds.json", metavar="FILE")
    options = arguments.parse_args()
    program = os.environ.get("WASMNET_NODE") or arguments.error("WASMNET_NODE must name the wasmnet-node to measure")
    thresholds = json.loads(options.thresholds.read_text())
    is_above = False
    measured = asyncio.run(measure(program))
    print(f"{'':42} {'instructions':>12} {'threshold':>10} {'allocations':>12} {'threshold':>10}")
    for name, figures in measured.items():
        most = thresholds[name]
        above = [figure > 1.05 * limit for figure, limit in zip(figures, most)]
        is_above |= any(above)
        print(f"{name:42} {figures[0]:12,.0f} {most[0]:10,} {figures[1]:12.1f} {most[1]:10}{'  ABOVE' if any(above) else ''}")
    sys.exit(1 if is_above else 0)


if __name__ == "__main__":
    main()

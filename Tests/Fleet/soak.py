#!/usr/bin/env python3
"""A long run of a cluster with mixed load, faults, policy reloads and changes of the denylist, with plots.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/soak.py [--minutes 10] [--seed N] [--report soak]

Plots memory, descriptors, latency and quotas with their bounds as SVG in the report's folder. Exits 1 if an invariant was broken.
"""
import argparse
import asyncio
import json
import random
import signal
import sys
import time
from pathlib import Path

import cluster as fleet
from bandwidth import Flood
from cluster import NODES
from fault_sequence import CLIENTS, DRAIN, LIFE, LIMIT, start_load
from faults import Faults, one
from invariants import Invariants
from load import Load, address_of
from report import plot

FLOOD = "127.2.0.1"
# The limit of one client's bandwidth in Mbit/s.
RATE = 8


class Soak:
    def __init__(self, cluster, arguments):
        self.cluster, self.arguments, self.dice = cluster, arguments, random.Random(arguments.seed)
        self.samples, self.begun, self.outage_since = [], 0.0, 0.0

    async def run(self):
        cluster = self.cluster
        await cluster.up(breakable=True)
        await cluster.start_target()
        await cluster.target(bound=LIMIT)
        self.load = load = Load(pause=(0.5, 2), life=LIFE)
        self.invariants = invariants = Invariants(cluster, load, LIMIT)
        faults = Faults(cluster, load, LIMIT, settle=LIFE[1] + 6)
        wanted = start_load(load, CLIENTS)
        await load.until("nearly all sockets", lambda: load.open_sockets >= wanted * 0.85, 60)
        allowed = (await cluster.quota(FLOOD))["limits"]["max_bandwidth_mbps"]
        self.flood = Flood(FLOOD, allowed["limit"] * 125_000, allowed["burst"])
        await asyncio.sleep(3)
        await invariants.remember_usage()
        self.begun = time.monotonic()
        sampler = asyncio.create_task(self.sample_forever())
        end, number, checks = self.begun + self.arguments.minutes * 60, 0, []
        while time.monotonic() < end:
            number += 1
            begun = time.monotonic()
            await self.reload()
            checks.append(await one(*faults.draw(self.dice), invariants, faults, number))
            await asyncio.sleep(max(0, min(end, begun + self.dice.uniform(8, 16)) - time.monotonic()))
        await asyncio.gather(*(check for check in checks if check))
        await invariants.growth("all faults")
        sampler.cancel()
        await asyncio.gather(sampler, return_exceptions=True)
        await invariants.settled("all faults")
        flooded, seconds = self.flood.bytes, time.monotonic() - self.begun
        await self.flood.stop()
        await load.stop()
        await invariants.limits("the end")
        for client in (FLOOD, address_of(0), address_of(1)):
            await invariants.slots(client, "the end")
        self.write(number, flooded / seconds)
        return load.broken + invariants.broken

    async def reload(self):
        """Reloads the policy by SIGHUP with another connection timeout: no open socket may be affected."""
        text = self.cluster.policy.read_text()
        self.cluster.policy.write_text(text.replace("timeout_secs = 10", "timeout_secs = 11") if "timeout_secs = 10" in text
                                       else text.replace("timeout_secs = 11", "timeout_secs = 10"))
        for name in NODES:
            self.cluster.signal(name, signal.SIGHUP)

    async def sample_forever(self):
        while True:
            sample = {"seconds": time.monotonic() - self.begun, "memory": {}, "descriptors": {}}
            for name in NODES:
                try:
                    metrics = await asyncio.to_thread(self.cluster.metrics, name)
                    sample["memory"][name] = metrics["process_resident_memory_bytes"] / 2**20
                    sample["descriptors"][name] = metrics["process_open_fds"]
                except (OSError, KeyError):
                    sample["memory"][name] = sample["descriptors"][name] = None
            sample["latency"] = self.load.percentiles(0.5, 0.99)
            sample["peak"] = (await self.cluster.target(fresh=True))["peak"]
            self.look_at_bandwidth(sample)
            self.samples.append(sample)
            await asyncio.sleep(1)

    def look_at_bandwidth(self, sample):
        """Checks the client's bytes against the bound. In an outage of Redis the bound grows with its length; after it the count starts again."""
        flood, now = self.flood, sample["seconds"]
        if self.invariants.is_without_redis(3):
            self.outage_since = self.outage_since or (self.samples[-1]["seconds"] if self.samples else 0.001)
            sample["bound"] = flood.bound_without_redis(now - self.outage_since)
        else:
            if self.outage_since:
                flood.begin_again()
            self.outage_since, sample["bound"] = 0.0, flood.bound
        sample["level"] = flood.take_highest()
        if sample["level"] > sample["bound"]:
            self.invariants.wrong(f"bandwidth at {now:.0f} s: {sample['level']:.0f} bytes beyond the rate, bound {sample['bound']:.0f}")
            flood.begin_again()

    def write(self, faults, rate):
        folder = Path(self.arguments.report)
        folder.mkdir(parents=True, exist_ok=True)

        def line(get):
            return [(sample["seconds"], get(sample)) for sample in self.samples]

        def constant(value):
            return line(lambda _: value)

        by_node = {kind: {name: line(lambda s, name=name, kind=kind: s[kind][name]) for name in NODES} for kind in ("memory", "descriptors")}
        latency = {label: line(lambda s, i=i: s["latency"][i] and s["latency"][i] * 1000) for i, label in enumerate(("median", "99 %"))}
        plots = {
            "memory": plot("Memory of each node", "MiB", by_node["memory"]),
            "descriptors": plot("Descriptors of each node", "open", by_node["descriptors"]),
            "latency": plot("Round trip of an echo, by a logarithmic scale", "ms", latency, is_logarithmic=True),
            "sockets": plot("Most open sockets of one client at the target", "sockets", {"peak": line(lambda s: s["peak"])},
                            {"limit": constant(LIMIT), "bound without Redis": constant(self.invariants.outage_bound)}),
            "bandwidth": plot("Bytes beyond the rate of the client that floods", "KiB", {"beyond": line(lambda s: s["level"] / 1024)},
                              {"bound": line(lambda s: s["bound"] / 1024)})}
        for name, text in plots.items():
            (folder / f"{name}.svg").write_text(text)
        invariants = self.invariants
        report = {"minutes": self.arguments.minutes, "seed": self.arguments.seed, "faults": faults, "load": self.load.summary(),
                  "peak_sockets_of_a_client": max(s["peak"] for s in self.samples), "limit": LIMIT,
                  "times_above_the_limit_around_an_outage_of_redis": invariants.excused,
                  "slots_free_after_seconds": round(invariants.worst_slots, 1),
                  "denylist_everywhere_after_seconds": round(invariants.worst_denylist, 2),
                  "flood_bytes_per_second": round(rate), "flood_limit_bytes_per_second": self.flood.rate,
                  "flood_highest_share_of_its_bound": round(max(s["level"] / s["bound"] for s in self.samples), 3),
                  "flood_bound": round(self.flood.bound),
                  "datagrams_that_nodes_dropped": round(sum(invariants.dropped.values())), "broken": self.load.broken + invariants.broken}
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))
        print(f"plots: {', '.join(str(folder / f'{name}.svg') for name in plots)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--report", default="soak", help="folder for the plots and report.json")
    arguments = parser.parse_args()
    print(f"{arguments.minutes:g} minutes, seed {arguments.seed}", flush=True)
    policy = fleet.policy(LIMIT).replace("max_bandwidth_mbps = 0", f"max_bandwidth_mbps = {RATE}")
    sys.exit(fleet.main(lambda cluster: Soak(cluster, arguments).run(), policy, DRAIN, 300 + 3 * 60 * arguments.minutes))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A rolling restart of three nodes under load, through HAProxy.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/rolling_restart.py [--clients 500]

Each client has four sessions and ten sockets; each twenty-fifth client asks for twice its limit, again and again. The policy opens nothing new
without Redis, so that the limit holds strictly even on a machine too busy for Redis to answer in time.
"""
import argparse
import signal
import sys
import time

import cluster as fleet
import jobs
from cluster import NODES
from invariants import Invariants
from load import Load, address_of

LIMIT, DRAIN = 12, 14
MAX_CONNECTIONS = 18


async def run(cluster, clients):
    await cluster.up()
    await cluster.start_target()
    await cluster.target(bound=LIMIT)
    load = Load(hurry=3)
    invariants = Invariants(cluster, load, LIMIT)
    begun = time.monotonic()
    greedy = 0
    for number in range(clients):
        is_greedy = number % 25 == 0
        greedy += is_greedy
        if is_greedy:
            load.add_client(number, (6, 6, 6, 6), jobs.TCP)
        else:
            load.add_client(number, (3, 2, 3, 2))
    wanted = (clients - greedy) * 10 + greedy * LIMIT
    await load.until("all sessions", lambda: len(load.sessions) == clients * 4, 90)
    await load.until("all sockets", lambda: load.open_sockets >= wanted * 0.99, 90)
    print(f"{len(load.sessions)} sessions, {load.open_sockets} sockets over three nodes after {time.monotonic() - begun:.1f} s", flush=True)
    await invariants.remember_usage()
    for name in NODES:
        await restart(cluster, load, invariants, name, wanted)
    await invariants.limits("the restarts")
    await invariants.growth("the restarts")
    seen = await cluster.target()
    before = load.summary()
    await load.stop()
    for number in (0, 1, 25, clients - 1):
        await invariants.slots(address_of(number), "the end")
    if (left := (await cluster.target())["open"]):
        invariants.wrong(f"{left} sockets are open at the target though no client is there")
    print(invariants.excuses())
    print(f"peak of one client at the target: {seen['peak']} of {LIMIT}; {seen['total']} sockets in all; {load.summary()}", flush=True)
    # A run that reached no limit and moved no session has tested nothing.
    if seen["peak"] < LIMIT or not load.refusals[MAX_CONNECTIONS]:
        invariants.wrong(f"no client reached its limit: peak {seen['peak']}, {load.refusals}")
    if not before.get("ended while draining"):
        invariants.wrong("no socket ended while its node drained")
    if before.get("moved", 0) < clients * 4 * 0.9:
        invariants.wrong(f"only {before.get('moved', 0)} sessions moved")
    if before.get("back on the same node"):
        invariants.wrong(f"{before['back on the same node']} sessions came back to a node that had sent them away")
    return load.broken + invariants.broken


async def restart(cluster, load, invariants, name, wanted):
    begun, ended = time.monotonic(), load.counts["ended while draining"]
    cluster.signal(name, signal.SIGTERM)
    status = await cluster.ended(name, DRAIN + 15)
    took = time.monotonic() - begun
    if status != 0:
        invariants.wrong(f"{name} ended with status {status}")
    await cluster.start_node(name)
    await cluster.until("HAProxy sees three nodes", lambda: cluster.nodes_up() == 3)
    await load.until("all sockets again", lambda: load.open_sockets >= wanted * 0.95, 90)
    await invariants.limits(f"the restart of {name}")
    print(f"{name} drained in {took:.1f} s, {load.counts['ended while draining'] - ended} sockets ended meanwhile; all back after "
          f"{time.monotonic() - begun:.1f} s; {len(load.broken)} broken", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=500)
    arguments = parser.parse_args()
    sys.exit(fleet.main(lambda cluster: run(cluster, arguments.clients), fleet.policy(LIMIT, without_redis="closed"), drain=DRAIN, seconds=330))


if __name__ == "__main__":
    main()

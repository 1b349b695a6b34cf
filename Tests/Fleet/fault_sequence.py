#!/usr/bin/env python3
"""Faults in a cluster under load, through HAProxy: some kinds alone, then a random sequence. The invariants are checked after each fault.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/fault_sequence.py [--faults 20] [--seconds 180] [--seed N]

The seed is printed; the same seed gives the same faults.
"""
import argparse
import asyncio
import random
import sys
import time

import cluster as fleet
import jobs
from faults import Faults, one
from invariants import Invariants
from load import Load, address_of

LIMIT, DRAIN = 12, 5
CLIENTS = 60
LIFE = (2, 8)


def start_load(load, clients):
    """Each client opens ten sockets of all kinds; each tenth client asks for twice its limit of TCP sockets, which the target counts. Returns the
    expected number of sockets."""
    wanted = 0
    for number in range(clients):
        greedy = number % 10 == 0
        wanted += LIMIT if greedy else 10
        if greedy:
            load.add_client(number, (6, 6, 6, 6), jobs.TCP)
        else:
            load.add_client(number, (3, 2, 3, 2))
    return wanted


async def run(cluster, arguments):
    await cluster.up(breakable=True)
    await cluster.start_target()
    await cluster.target(bound=LIMIT)
    load = Load(pause=(0.5, 2), life=LIFE)
    invariants, faults = Invariants(cluster, load, LIMIT), Faults(cluster, load, LIMIT, settle=LIFE[1] + 6)
    wanted = start_load(load, CLIENTS)
    # Not all at once: sockets open and close all the time.
    await load.until("nearly all sockets", lambda: load.open_sockets >= wanted * 0.85, 60)
    await invariants.remember_usage()
    checks = []

    async def do(told, fault):
        checks.append(await one(told, fault, invariants, faults, len(checks) + 1))

    dice = random.Random(arguments.seed)
    alone = [("kill -9 of node-2", lambda: faults.kill_node("node-2")), ("SIGSTOP of node-3", lambda: faults.hang_node("node-3")),
             ("cut of the way to node-2", lambda: faults.cut_way("node-2")), ("kill -9 of Redis", faults.kill_redis),
             ("SIGSTOP of node-1 past its lease", lambda: faults.hang_node_past_its_lease("node-1"))]
    for told, fault in alone:
        await do(told, fault)
        if fault == faults.kill_redis:
            await invariants.settled(told)
        await load.until("nearly all sockets", lambda: load.open_sockets >= wanted * 0.7, 40)
    print(f"{arguments.faults} random faults over {arguments.seconds} s, seed {arguments.seed}", flush=True)
    begun = time.monotonic()
    for index in range(arguments.faults):
        await do(*faults.draw(dice))
        # The next fault starts on schedule, however long this one took.
        await asyncio.sleep(max(0, begun + (index + 1) * arguments.seconds / arguments.faults - time.monotonic()))
    await asyncio.gather(*(check for check in checks if check))
    await load.until("nearly all sockets", lambda: load.open_sockets >= wanted * 0.7, 60)
    if faults.strict_again:
        await asyncio.wait({faults.strict_again})
    await invariants.limits("all faults")
    await invariants.growth("all faults")
    seen = await cluster.target()
    await invariants.settled("all faults")
    await load.stop()
    await asyncio.gather(*(invariants.slots(address_of(number), "the end") for number in range(0, CLIENTS, 10)))
    if (left := (await cluster.target())["open"]):
        invariants.wrong(f"{left} sockets are open at the target though no client is there")
    if seen["peak"] < LIMIT:
        invariants.wrong(f"no client reached its limit: {seen['peak']} of {LIMIT}")
    print(invariants.excuses())
    print(f"peak of one client at the target: {seen['peak']} of {LIMIT} (up to {invariants.outage_bound} while Redis is away, {2 * LIMIT} around a "
          f"node past its lease); slots free after at most {invariants.worst_slots:.1f} s, denylist everywhere after at most "
          f"{invariants.worst_denylist:.1f} s; {seen['total']} sockets in all; {load.summary()}", flush=True)
    return load.broken + invariants.broken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=180, help="in which they come")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    bound = 240 + 3 * arguments.seconds
    sys.exit(fleet.main(lambda cluster: run(cluster, arguments), fleet.policy(LIMIT), DRAIN, bound))


if __name__ == "__main__":
    main()

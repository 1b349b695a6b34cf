#!/usr/bin/env python3
"""Measures the limits of one client over three nodes while something happens to Redis or to a node. Prints a row for each event, with each
measurement beside its bound, and exits 1 if one is out of its bound.

    WASMNET_NODE=path/to/wasmnet-node Tests/Fleet/outage.py [--rounds 1] [--at-once 4] [--logs FOLDER] [ROW ...]

For slots one client asks for more than its limit of 30 all the time. Measured are: the most sockets open; how long after the event there were still
more than the limit, if that is allowed at all; the most 20 seconds after the event; and how long after it the nodes had opened as many as there was
room for, and together held the limit. To make room, some sockets of one node are closed; the bound includes the two seconds for which it may keep
their slots. For rates (8 Mbit/s, 20 connects a second) it is the most beyond rate * t in any time t, and the longest time in which nothing passed.
"""
import argparse
import asyncio
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import outage_events as events
from outage_redis import InCluster, Stepped, WithSentinels
from outage_rows import Denylists, Measure, Rates, Slots, Strangers
from outage_world import LIMIT, STATIC

ROWS = {
    "pauses": Slots(events.pauses),
    "nodes-pause": Slots(events.nodes_pause(at_once=False)),
    "nodes-pause-at-once": Slots(events.nodes_pause(at_once=True)),
    "connections-killed": Slots(events.connections_are_killed("normal")),
    "pubsub-killed": Slots(events.connections_are_killed("pubsub")),
    "nodes-starved": Slots(events.nodes_starve),
    "redis-stopped-4s": Slots(events.redis_stops(4)),
    "redis-stopped-20s": Slots(events.redis_stops(20), bound=STATIC),
    "redis-stopped-20s-closed": Slots(events.redis_stops(20), 'default = "closed"'),
    "stopped-at-the-start": Slots(events.redis_stops_at_the_start, at_the_start=True),
    "redis-full-4s": Slots(events.redis_is_full(4)),
    "redis-full-20s": Slots(events.redis_is_full(20), bound=STATIC),
    "node-cut-off-4s": Slots(events.node_is_cut_off(4)),
    # The node keeps its slots, and the others get as many when its leases end. When it is back, there is no room until the excess has ended.
    "node-cut-off-21s": Slots(events.node_is_cut_off(21), bound=2 * LIMIT, room_later=True),
    "node-cut-off-21s-fence": Slots(events.node_is_cut_off(21), 'default = "fence"'),
    "flushall": Slots(events.flush, growth=4),
    "flushall-nobody-asks": Slots(events.flush_while_nobody_asks, growth=6),
    "flushall-no-pubsub": Slots(events.flush_without_pubsub, growth=6),
    "flushall-a-node-dead": Slots(events.flush_without_a_node, growth=17),
    "flushall-a-node-cut-off": Slots(events.flush_while_a_node_is_cut_off, growth=4),
    "flushall-strangers": Strangers(),
    "restarted-empty": Slots(events.restart, growth=4),
    "old-snapshot": Slots(events.restore, growth=4),
    "lease-deleted": Slots(events.delete_lease, bound=2 * LIMIT, room_later=True),
    "clock-60s-forward": Slots(events.clock_is_stepped("+60"), redis=Stepped),
    "clock-60s-back": Slots(events.clock_is_stepped("-60"), redis=Stepped),
    "sentinel-failover": Slots(events.sentinels_fail_over, growth=4, redis=WithSentinels),
    "sentinel-failover-old": Slots(events.sentinels_fail_over_to_an_old_copy, growth=4, redis=WithSentinels),
    "cluster-slot-moved": Slots(events.a_slot_moves, redis=InCluster),
    "cluster-failover": Slots(events.a_cluster_fails_over, growth=4, redis=InCluster),
    "denylist-emptied": Denylists(events.flush),
    "denylist-old-snapshot": Denylists(events.restart, is_old=True),
    **{f"rates-flapping-{period * 1000:.0f}ms": Rates(period) for period in (0.05, 0.3, 1, 5)},
    "rates-connections-killed": Rates(0.25, events.loses_its_connections),
    "rates-a-node-cut-off": Rates(1, cut_off=5),
    "rates-at-the-start": Rates(1, settled=0),
}
SHORT = ["pauses", "redis-stopped-20s-closed", "flushall", "old-snapshot"]


async def measured(name, logs):
    world = ROWS[name].world()
    try:
        return await ROWS[name].measure(world)
    except (OSError, TimeoutError) as error:
        return [Measure(f"not measured ({error}):", 1, 0)]
    finally:
        await world.end(logs and logs / name)


def run(name, logs):
    """Runs a row in its own process: its fault proxies, target and client share an event loop with no other row."""
    return asyncio.run(measured(name, logs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {' '.join(ROWS)}; short: {' '.join(SHORT)}")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--logs", type=Path, help="a folder for what nodes and Redis said")
    options = parser.parse_args()
    if not os.environ.get("WASMNET_NODE"):
        sys.exit("outage.py: WASMNET_NODE names the node's program")
    names = SHORT if options.rows == ["short"] else options.rows or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; there are: {' '.join(ROWS)}")
    missed = 0
    with ProcessPoolExecutor(options.at_once) as pool:
        rows = {pool.submit(run, name, options.logs): name for _ in range(options.rounds) for name in names}
        for row in as_completed(rows):
            is_kept = all(measure.is_kept for measure in row.result())
            missed += not is_kept
            print(f"{rows[row]:<25} {'; '.join(map(str, row.result()))}{'' if is_kept else '  MISSED'}", flush=True)
    print(f"{len(rows) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

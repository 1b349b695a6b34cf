#!/usr/bin/env python3
"""Causes every alert with real nodes, Redis and Prometheus: it must be silent before, fire for the right instances, and be silent after.

    WASMNET_NODE=path/to/wasmnet-node Tests/Deploy/cluster_alerts.py [WORD ...]

With WORDs only the causes whose name contains one of them run. The rules are those of deploy/prometheus with shorter times (alert_world.py).
"""
import asyncio
import re
import sys
import time

import alert_causes as of_node
import alert_causes_redis as of_redis
import cluster as fleet
from alert_world import POLICY, World
from cluster import LONGEST

# Each cause with its alerts. The causes of a group run at the same time, on different nodes; the groups run one after the other.
GROUPS = [
    {
        of_node.a_policy_that_is_bad: ["WasmnetPolicyNotReloaded"],
        of_node.tokens_that_are_tried: ["WasmnetNotAdmitted"],
        of_node.a_forged_header: ["WasmnetUntrustedProxyHeaders"],
        of_node.a_client_that_scans: ["WasmnetDenialsHigh"],
        of_node.targets_that_refuse: ["WasmnetDialsFail"],
        of_node.a_quota_that_is_too_small: ["WasmnetQuotaRefusalsHigh"],
        of_node.descriptors_that_run_low: ["WasmnetFileDescriptorsLow"],
        of_node.descriptors_that_run_out: ["WasmnetOverloaded"],
        of_node.messages_that_do_not_end: ["WasmnetMemoryHigh"],
        of_node.loops_that_are_late: ["WasmnetEventLoopLag"],
        of_node.crashes: ["WasmnetNodeRestarts"],
        of_node.a_drain_that_waits: ["WasmnetDrainTooLong"],
        # Not in the group with the cause that changes the shared denylist.
        of_redis.a_redis_that_is_emptied: ["WasmnetRedisDataLost", "WasmnetRollCallLong", "WasmnetDenylistJoined"],
    },
    {
        of_redis.a_redis_that_evicts: ["WasmnetRedisEvicts"],
        of_redis.a_user_without_a_right: ["WasmnetRedisErrors"],
        of_redis.a_redis_that_is_slow: ["WasmnetRedisSlow"],
        of_redis.a_denylist_that_a_node_may_not_read: ["WasmnetDenylistBehind"],
        of_redis.an_upgrade_that_stopped_half_way: ["WasmnetVersionsDiffer"],
    },
    {of_redis.a_node_with_another_database: ["WasmnetNodesNotSeen"]},
    {of_redis.a_redis_that_hangs: ["WasmnetRedisUnavailable", "WasmnetDenylistOld"]},
    {of_redis.a_node_that_hangs: ["WasmnetNodeDown"]},
    {of_redis.all_nodes_hang: ["WasmnetAllNodesDown"]},
]
# Alerts that a test cannot cause from outside; the rules' unit tests cover them.
EXCEPTIONS = {"WasmnetInternalErrors": "the code word for a fault of the node's own: whoever can cause one has found it, and mends it"}
# Alerts that a busy machine may cause on other nodes too.
OF_THE_MACHINE = {"WasmnetEventLoopLag", "WasmnetRedisSlow"}
# A series in a rule's expression, with its labels.
SELECTOR = re.compile(r"\b((?:wasmnet|process)[_:][\w:]+|up\b)(\{[^}]*\})?")


def is_about(alert, firing, instances):
    """Whether the alert fires for exactly these instances."""
    found = firing.get(alert, set())
    return found >= instances if alert in OF_THE_MACHINE else found == instances


async def until(condition, seconds):
    """Waits for the condition. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.1)


async def observe(world, cause, alerts):
    """Runs a cause, and returns what was wrong, in words."""
    steps, told = cause(world), cause.__name__.replace("_", " ")
    doing = "silent before"
    try:
        instances = await anext(steps)

        def is_silent():
            return not any(world.firing.get(alert, set()) & instances for alert in alerts)
        await world.evaluations()
        await until(is_silent, LONGEST)
        begun, doing = time.monotonic(), "firing"
        await anext(steps)
        await until(lambda: all(is_about(alert, world.firing, instances) for alert in alerts), 2 * LONGEST)
        fired, doing = time.monotonic(), "silent after"
        await anext(steps)
        await until(is_silent, 2 * LONGEST)
        print(f"{', '.join(alerts)}: {told}; fired after {fired - begun:.0f} s, was over {time.monotonic() - fired:.0f} s later", flush=True)
        return []
    except (AssertionError, OSError, RuntimeError, TimeoutError) as error:
        return [f"{told}: {', '.join(alerts)} not {doing}: {error!r}; firing are {world.firing}"]
    finally:
        await steps.aclose()


def untold(rules):
    """Alerts without a cause, and causes of alerts that do not exist."""
    alerts = {rule["name"] for rule in rules if rule["type"] == "alerting"}
    told = {alert for group in GROUPS for names in group.values() for alert in names}
    return ([f"{name} has no cause here" for name in sorted(alerts - told - EXCEPTIONS.keys())]
            + [f"{name} is no alert of the rules" for name in sorted((told | EXCEPTIONS.keys()) - alerts)]
            + [f"{name} has a cause and is an exception" for name in sorted(told & EXCEPTIONS.keys())])


async def missing(world, rules):
    """Series that a rule uses and Prometheus does not have."""
    selectors = sorted({"".join(found) for rule in rules for found in SELECTOR.findall(rule["query"])})
    assert len(selectors) > 20, selectors
    deadline = time.monotonic() + LONGEST
    # Recorded series are there only after some scrapes.
    while (absent := [text for text in selectors if await world.value(f"count({text})") is None]) and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    return [f"Prometheus has no series {text}" for text in absent]


async def run(world, words):
    await world.up()
    rules = await world.rules()
    broken = untold(rules) + await missing(world, rules)
    for group in GROUPS:
        chosen = {cause: alerts for cause, alerts in group.items() if not words or any(word in cause.__name__ for word in words)}
        for wrong in await asyncio.gather(*(observe(world, cause, alerts) for cause, alerts in chosen.items())):
            broken += wrong
    broken += [f"{name} is dead after all causes" for name in world.processes if not world.is_alive(name)]
    world.watcher.cancel()
    return broken


if __name__ == "__main__":
    sys.exit(fleet.main(lambda world: run(world, sys.argv[1:]), POLICY, drain=1, seconds=420, kind=World))

#!/usr/bin/env bash
# Builds node and load generator in release, and runs hostile clients against the node; arguments go to `wasmnet-bench hostile` (--help lists them).
# WASMNET_NODE=FILE is the node to use instead of one that is built here. docs/hostile.md says what the table means.
set -euo pipefail
node=${WASMNET_NODE:+$(realpath "$WASMNET_NODE")}
cd "$(dirname "$0")/.."
bin=$(scripts/release.sh wasmnet-bench)
node=${node:-$(scripts/release.sh)/wasmnet-node}

# The first two available processors: one for the node, one for the clients.
processors=()
IFS=, read -ra ranges < <(taskset --cpu-list --pid $$ | sed 's/.*: //')
for range in "${ranges[@]}"; do
    for ((number = ${range%-*}; number <= ${range#*-}; number++)); do processors+=("$number"); done
done
[ ${#processors[@]} -ge 2 ] || { echo "hostile.sh needs two processors" >&2; exit 2; }

# Hostile clients leave connections behind, and lookups need a slow name server: a separate network namespace.
resolv=$(mktemp)
trap 'rm -f "$resolv"' EXIT
echo "nameserver 127.0.0.53" >"$resolv"
enter=(unshare --net --mount)
[ "$(id -u)" -eq 0 ] || enter+=(--map-root-user)
ulimit -n "$(ulimit -Hn)"
"${enter[@]}" bash -euc '
    ip link set lo up
    mount --bind "$1" /etc/resolv.conf
    shift
    exec "$@"' hostile "$resolv" taskset --cpu-list "${processors[1]}" \
    "$bin/wasmnet-bench" hostile --node "$node" --node-processor "${processors[0]}" "$@"

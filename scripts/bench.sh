#!/usr/bin/env bash
# Builds node and load generator in release, and runs the benchmarks; arguments go to wasmnet-bench (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(scripts/release.sh wasmnet-node wasmnet-bench)
# Each WebSocket of the largest run is a file of the node's and one of the generator's.
ulimit -n "$(ulimit -Hn)"
"$bin/wasmnet-bench" micro
"$bin/wasmnet-bench" denylist
exec "$bin/wasmnet-bench" relay --node "$bin/wasmnet-node" "$@"

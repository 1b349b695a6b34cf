#!/usr/bin/env bash
# Builds node and load generator in release, and runs the benchmarks; arguments go to wasmnet-bench (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
"$swift" build -c release --product wasmnet-node
"$swift" build -c release --product wasmnet-bench
bin=$("$swift" build -c release --show-bin-path)
# Each WebSocket of the largest run is a file of the node's and one of the generator's.
ulimit -n "$(ulimit -Hn)"
"$bin/wasmnet-bench" micro
"$bin/wasmnet-bench" denylist
exec "$bin/wasmnet-bench" relay --node "$bin/wasmnet-node" "$@"

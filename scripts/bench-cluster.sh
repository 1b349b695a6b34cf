#!/usr/bin/env bash
# Builds node and load generator in release, and measures what limits shared in Redis cost; arguments go to `wasmnet-bench cluster`
# (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
"$swift" build -c release --product wasmnet-node
"$swift" build -c release --product wasmnet-bench
bin=$("$swift" build -c release --show-bin-path)
exec "$bin/wasmnet-bench" cluster --node "$bin/wasmnet-node" "$@"

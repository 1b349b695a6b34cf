#!/usr/bin/env bash
# Builds node and load generator in release, and measures what limits shared in Redis cost; arguments go to `wasmnet-bench cluster`
# (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(scripts/release.sh wasmnet-node wasmnet-bench)
exec "$bin/wasmnet-bench" cluster --node "$bin/wasmnet-node" "$@"

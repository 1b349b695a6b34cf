#!/usr/bin/env bash
# Fuzzes the codecs with libFuzzer under AddressSanitizer for so many seconds (default 60). The corpus stays in .build-fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
mkdir -p .build-fuzz/corpus
scratch=$PWD/.build-fuzz/build
swift build --package-path Tests/Fuzz -c release --sanitize fuzzer --sanitize address --scratch-path "$scratch"
exec "$scratch/release/protocol-fuzz" -max_total_time="$seconds" -max_len=4096 -dict=Tests/Fuzz/protocol.dict .build-fuzz/corpus

#!/usr/bin/env bash
# Fuzzes the codecs and the head of the upgrade's request with libFuzzer under AddressSanitizer, each for so many seconds (default 60).
# The corpora and what crashed stay in .build-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
scratch=$PWD/.build-fuzz/build
swift build --package-path Tests/Fuzz -c release --sanitize fuzzer --sanitize address --scratch-path "$scratch"
mkdir -p .build-fuzz/corpus .build-fuzz/corpus-head
"$scratch/release/protocol-fuzz" -max_total_time="$seconds" -max_len=4096 -artifact_prefix=.build-fuzz/ -dict=Tests/Fuzz/protocol.dict .build-fuzz/corpus
"$scratch/release/head-fuzz" -max_total_time="$seconds" -max_len=20000 -artifact_prefix=.build-fuzz/ -dict=Tests/Fuzz/head.dict .build-fuzz/corpus-head

#!/usr/bin/env bash
# Fuzzes the codecs and the head of the upgrade's request with libFuzzer under AddressSanitizer, each for so many seconds (default 60).
# The corpora and what crashed stay in .build-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
scratch=$PWD/.build-fuzz/build
# Both in one option: of two the compiler uses the last, SwiftPM passes them in any order, and without the fuzzer's there is no coverage.
swift build --package-path Tests/Fuzz -c release --sanitize fuzzer -Xswiftc -sanitize=address,fuzzer --scratch-path "$scratch"
for fuzzer in protocol-fuzz head-fuzz; do
    if "$scratch/release/$fuzzer" -runs=100 2>&1 | grep -q "Is the code instrumented"; then
        echo "fuzz.sh: $fuzzer was built without coverage, and would find nothing" >&2
        exit 1
    fi
done
mkdir -p .build-fuzz/corpus .build-fuzz/corpus-head
"$scratch/release/protocol-fuzz" -max_total_time="$seconds" -max_len=4096 -artifact_prefix=.build-fuzz/ -dict=Tests/Fuzz/protocol.dict .build-fuzz/corpus
"$scratch/release/head-fuzz" -max_total_time="$seconds" -max_len=20000 -artifact_prefix=.build-fuzz/ -dict=Tests/Fuzz/head.dict .build-fuzz/corpus-head

#!/usr/bin/env bash
# Builds PRODUCT..., wasmnet-node by default, and prints the folder they are in: one build for `make run`, the benchmarks, `make dist` and the image.
# Swift's runtime, hiredis and zlib are linked in; what is left to load at run time is libc, libm, libstdc++ and libgcc_s.
#   scripts/release.sh [PRODUCT...]
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}

# The linker prefers a shared library to an archive within one directory: give it a directory with archives only, and first.
only=$PWD/.build/only-static
mkdir -p "$only"
for library in hiredis:libhiredis-dev z:zlib1g-dev; do
    archive=$(find /usr/lib /usr/local/lib -name "lib${library%:*}.a" -print -quit 2>/dev/null)
    [ -n "$archive" ] || { echo "release.sh: lib${library%:*}.a is missing: install ${library#*:}" >&2; exit 1; }
    ln -sf "$archive" "$only/"
done

# Exclusive access is checked at run time by the tests' builds; here it costs a quarter of the instructions of a message.
# Without the cached manifest, which may contain the commit of an earlier build.
flags=(-c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked -Xswiftc "-L$only" --manifest-cache none)
for product in "${@:-wasmnet-node}"; do
    "$swift" build "${flags[@]}" --product "$product" >&2
done
"$swift" build "${flags[@]}" --show-bin-path

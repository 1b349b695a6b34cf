#!/usr/bin/env bash
# Builds the node for other machines: Swift's runtime, hiredis and zlib linked in, symbols stripped. Writes it to the path given.
# What is left to load at run time is libc, libm, libstdc++ and libgcc_s.
#   scripts/build-static.sh PATH
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:?where the binary goes}
swift=${SWIFT:-swift}

# The linker takes a shared library before an archive within one directory: give it a directory with archives only, and first.
only=$PWD/.build-dist/only-static
mkdir -p "$only"
for library in hiredis:libhiredis-dev z:zlib1g-dev; do
    archive=$(find /usr/lib /usr/local/lib -name "lib${library%:*}.a" -print -quit 2>/dev/null)
    [ -n "$archive" ] || { echo "build-static.sh: lib${library%:*}.a is missing: install ${library#*:}" >&2; exit 1; }
    ln -sf "$archive" "$only/"
done

# Without the cached manifest, which may hold the commit of an earlier build.
arguments=(--manifest-cache none -c release --product wasmnet-node --scratch-path .build-dist --static-swift-stdlib -Xswiftc "-L$only")
"$swift" build "${arguments[@]}"
mkdir -p "$(dirname "$output")"
strip -o "$output" "$("$swift" build "${arguments[@]}" --show-bin-path)/wasmnet-node"

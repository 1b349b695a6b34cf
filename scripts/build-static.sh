#!/usr/bin/env bash
# Builds the node for other machines: Swift's runtime and hiredis linked in, symbols stripped. Writes it to the path given.
# What is left to load at run time is libc, libm, libstdc++ and libgcc_s.
#   scripts/build-static.sh PATH
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:?where the binary goes}
swift=${SWIFT:-swift}

archive=$(find /usr/lib /usr/local/lib -name libhiredis.a -print -quit 2>/dev/null)
[ -n "$archive" ] || { echo "build-static.sh: libhiredis.a is missing: install libhiredis-dev" >&2; exit 1; }
# The linker takes a shared library before an archive within one directory: give it a directory with the archive only, and first.
only=$PWD/.build-dist/only-static
mkdir -p "$only"
ln -sf "$archive" "$only/libhiredis.a"

# Without the cached manifest, which may hold the commit of an earlier build.
arguments=(--manifest-cache none -c release --product wasmnet-node --scratch-path .build-dist --static-swift-stdlib -Xswiftc "-L$only")
"$swift" build "${arguments[@]}"
mkdir -p "$(dirname "$output")"
strip -o "$output" "$("$swift" build "${arguments[@]}" --show-bin-path)/wasmnet-node"

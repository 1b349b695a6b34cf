#!/usr/bin/env bash
# Builds redis-cli from Debian's source package, its source unmodified, over ../libc and the headers of ../absent: build.sh OUT.wasm
# The source is fetched once into SOURCES (default: src beside the output).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
sources=${SOURCES:-$(dirname "$out")/src}
"$here/../fetch-source.sh" redis "$sources"
work=$sources/redis-objects
mkdir -p "$work"
cd "$sources/redis/src"
[ -e release.h ] || ./mkreleasehdr.sh >/dev/null

flags=(-Os -std=gnu11 -Wno-everything -Werror=implicit-function-declaration -isystem "$here/../absent" -D_GNU_SOURCE
    -DREDIS_STATIC= -I../deps/hiredis -I../deps/linenoise -I../deps/hdr_histogram -I../deps/lua/src)
files=(anet adlist dict redis-cli zmalloc release ae redisassert crcspeed crc64 siphash crc16 monotonic cli_common mt19937-64
    ../deps/hiredis/{alloc,async,hiredis,net,read,sds,sockcompat} ../deps/linenoise/linenoise)
objects=()
for file in "${files[@]}"; do
    object=$work/$(basename "$file").o
    objects+=("$object")
    "$here/../cc" "${flags[@]}" -c "$file.c" -o "$object"
done
"$here/../cc" -Wl,--strip-all -Wl,-z,stack-size=1048576 "${objects[@]}" -lm -o "$out"

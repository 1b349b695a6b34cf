#!/usr/bin/env bash
# Builds redis-cli from Debian's source package, its source unmodified, over the headers beside this script: build.sh OUT.wasm
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

flags=(--target=wasm32-wasi -Os -std=gnu11 -Wno-everything -Werror=implicit-function-declaration -nostdlibinc
    -isystem "$here/include" -isystem "$here/../libc/include" -isystem /usr/include/wasm32-wasi
    -D_GNU_SOURCE -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_MMAN -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_PROCESS_CLOCKS
    -DREDIS_STATIC= -I../deps/hiredis -I../deps/linenoise -I../deps/hdr_histogram -I../deps/lua/src -I"$here/../libc")
files=(anet adlist dict redis-cli zmalloc release ae redisassert crcspeed crc64 siphash crc16 monotonic cli_common mt19937-64
    ../deps/hiredis/{alloc,async,hiredis,net,read,sds,sockcompat} ../deps/linenoise/linenoise
    "$here/../libc/"{socket,netdb})
objects=()
for file in "${files[@]}"; do
    object=$work/$(basename "$file").o
    objects+=("$object")
    ${CLANG:-clang-14} "${flags[@]}" -c "$file.c" -o "$object"
done
${CLANG:-clang-14} --target=wasm32-wasi -Wl,--strip-all -Wl,-z,stack-size=1048576 "${objects[@]}" \
    -lwasi-emulated-signal -lwasi-emulated-mman -lwasi-emulated-getpid -lwasi-emulated-process-clocks -lm -o "$out"

#!/usr/bin/env bash
# Builds BearSSL's TLS client sample from Debian's source package, unmodified but for where randomness comes from: build.sh OUT.wasm
# The sample trusts the authority of BearSSL's own sample certificates.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
sources=${SOURCES:-$(dirname "$out")/src}
"$here/../fetch-source.sh" bearssl "$sources"
work=$sources/bearssl-objects
mkdir -p "$work"
cd "$sources/bearssl"

flags=(--target=wasm32-wasi -O2 -w -nostdlibinc -isystem "$here/../libc/include" -isystem /usr/include/wasm32-wasi
    -D_WASI_EMULATED_SIGNAL -DBR_USE_UNIX_TIME=1 -DBR_USE_URANDOM=0 -I"$sources/bearssl/inc" -I"$sources/bearssl/src" -I"$here/../libc")
(cd "$work" && find "$sources/bearssl/src" -name '*.c' ! -name sysrng.c -print0 |
    xargs -0 -P "$(nproc)" -n 40 "${CLANG:-clang-14}" "${flags[@]}" -c)
${CLANG:-clang-14} "${flags[@]}" -Wl,--strip-all "$work"/*.o samples/client_basic.c "$here/seeder.c" \
    "$here/../libc/socket.c" "$here/../libc/netdb.c" -lwasi-emulated-signal -o "$out"

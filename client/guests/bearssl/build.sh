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

flags=(-O2 -w -DBR_USE_UNIX_TIME=1 -DBR_USE_URANDOM=0 -I"$sources/bearssl/inc" -I"$sources/bearssl/src")
(cd "$work" && find "$sources/bearssl/src" -name '*.c' ! -name sysrng.c -print0 | xargs -0 -P "$(nproc)" -n 40 "$here/../cc" "${flags[@]}" -c)
"$here/../cc" "${flags[@]}" -Wl,--strip-all "$work"/*.o samples/client_basic.c "$here/seeder.c" -o "$out"

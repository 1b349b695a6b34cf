#!/usr/bin/env bash
# Installs the Debian packages that are missing for what is asked: build, lint, test, web, playground, bench, hostile, cluster, deploy, model. Says nothing when nothing is missing.
set -euo pipefail

packages() {
    case "$1" in
        build) echo ca-certificates git libhiredis-dev make zlib1g-dev ;;
        lint) echo python3 ;;
        test) echo binutils curl iproute2 openssl prometheus redis-server netcat-openbsd nodejs node-ws python3 valgrind ;;
        bench) echo binutils haproxy python3 redis-server valgrind websockify ;;
        hostile) echo iproute2 util-linux ;;
        web) echo chromium clang-14 esbuild firefox-esr fonts-dejavu-core libclang-rt-14-dev-wasm32 lld-14 make netbase nodejs node-typescript node-ws openssl procps python3 python3-pip util-linux wasi-libc zopfli ;;
        playground) echo esbuild make wasi-libc libclang-rt-14-dev-wasm32 zopfli ;;
        cluster) echo binutils curl faketime haproxy openssl prometheus python3 redis-server redis-tools util-linux ;;
        deploy) echo git haproxy nginx-light openssl prometheus python3 python3-jsonschema python3-yaml redis-server redis-tools shellcheck systemd ;;
        model) echo spin gcc libc6-dev ;;
        *) echo "install.sh: build, lint, test, web, playground, bench, hostile, cluster, deploy or model, not $1" >&2; exit 2 ;;
    esac
}

[[ "$*" =~ ^(model|deploy|web)$ ]] || command -v swift >/dev/null || {
    echo "wasmnet needs the Swift 6.3 toolchain: https://www.swift.org/install/linux/" >&2
    exit 1
}
missing=()
for group in "$@"; do
    for package in $(packages "$group"); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
    done
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"
[ "$(id -u)" -eq 0 ] || { echo "run this as root, or install them yourself" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
# The programs are for tests and started by them: no package starts its own service.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

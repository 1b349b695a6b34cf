#!/usr/bin/env bash
# Installs the Debian packages that are missing for what is asked: build, test, bench, model. Says nothing when nothing is missing.
set -euo pipefail

packages() {
    case "$1" in
        build) echo ca-certificates git libhiredis-dev make ;;
        test) echo curl openssl redis-server netcat-openbsd nodejs node-ws python3 ;;
        bench) echo haproxy redis-server websockify ;;
        model) echo spin gcc libc6-dev ;;
        *) echo "install.sh: build, test, bench or model, not $1" >&2; exit 2 ;;
    esac
}

[ "$*" = model ] || command -v swift >/dev/null || {
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
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

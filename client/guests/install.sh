#!/usr/bin/env bash
# Installs the Debian packages that build and test the guests, and the two apt sources they come from besides Debian's own
# binaries: bookworm-backports (Go 1.23, the first with wasip1 sockets worth having) and bookworm's sources (redis, bearssl, at test time).
# `install.sh programs`: also the servers that the programs of programs/ are tested with. Run as root. Says nothing when nothing is missing.
set -euo pipefail

compilers=(clang-14 emscripten lld-14 lld-16 llvm-14 wasi-libc libclang-rt-14-dev-wasm32 rustc libstd-rust-dev-wasm32 make dpkg-dev gcc libc6-dev netbase)
backports=(golang-1.23-go)
browsers=(chromium firefox-esr)
peers=(redis-server redis-tools dnsmasq-base curl openssl nodejs node-typescript)
[ "${1:-}" != programs ] || peers+=(mosquitto mosquitto-clients ngircd)

absent() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || echo "$package"
    done
}

mapfile -t missing < <(absent "${compilers[@]}" "${browsers[@]}" "${peers[@]}")
mapfile -t late < <(absent "${backports[@]}")
sources=/etc/apt/sources.list.d/wasmnet-guests.sources
[ ${#missing[@]} -eq 0 ] && [ ${#late[@]} -eq 0 ] && [ -e "$sources" ] && exit 0
[ "$(id -u)" -eq 0 ] || { echo "run this as root, or install: ${missing[*]} ${late[*]}" >&2; exit 1; }

# Where this machine's own packages come from.
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | grep -v '^#' | grep -oE '(https?|file)://[^ ]*/debian/?( |$)' | head -1 | tr -d ' ')
[ -n "$mirror" ] || { echo "no Debian mirror is in apt's sources" >&2; exit 1; }
cat >"$sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: $mirror
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES

echo "installing: ${missing[*]} ${late[*]}"
export DEBIAN_FRONTEND=noninteractive
# The programs are for tests and start from there: no package starts a service of its own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
apt-get -o DPkg::Lock::Timeout=300 update -qq
[ ${#missing[@]} -eq 0 ] || apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
[ ${#late[@]} -eq 0 ] || apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends -t bookworm-backports "${late[@]}" >/dev/null

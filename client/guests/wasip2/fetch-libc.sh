#!/usr/bin/env bash
# Unpacks backports' wasi-libc, the first of Debian's with wasip2, into FOLDER, once: fetch-libc.sh FOLDER
# It is not installed: the other guests are built with bookworm's.
set -euo pipefail
[ -e "$1/fetched" ] && exit 0
mkdir -p "$1"
cd "$1"
rm -f ./*.deb
# -o: apt's unprivileged user cannot write here, and need not.
apt-get -o APT::Sandbox::User=root download -qq wasi-libc/bookworm-backports >/dev/null
dpkg -x ./*.deb .
touch fetched

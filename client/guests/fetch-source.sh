#!/usr/bin/env bash
# Fetches and unpacks Debian's source package NAME into FOLDER/NAME, once: fetch-source.sh NAME FOLDER
set -euo pipefail
name=$1 folder=$2
[ -e "$folder/$name.fetched" ] && exit 0
mkdir -p "$folder"
cd "$folder"
rm -rf "$name" "$name"_*
# -o: apt's unprivileged user cannot write here, and need not.
apt-get -o APT::Sandbox::User=root source -qq --download-only "$name" >/dev/null
dpkg-source --no-check -x "$name"_*.dsc "$name" >/dev/null 2>&1
touch "$name.fetched"

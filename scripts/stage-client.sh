#!/usr/bin/env bash
# Makes the browser client as it is published, in the folder given: the package, the whole client as one module (wasmnet-client.min.js),
# the playground and its programs, and a gzipped form beside each file, which the node serves.
#   scripts/stage-client.sh FOLDER
#   scripts/stage-client.sh --package FOLDER   only what the npm package is packed from: no playground, nothing gzipped
#   scripts/stage-client.sh --minify MODULE    prints a module of client/ with all that it imports, as it is published
set -euo pipefail
client=$(realpath "$(dirname "$0")/../client")
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$client/package.json")
# Names that begin with "_" are the client's own: no program uses them. The whole client identifies itself, in few bytes.
minify() {
    local banner=()
    [ "$1" != wasmnet-client.js ] || banner=(--banner:js="//wasmnet $version, MIT")
    esbuild "$@" "${banner[@]}" --bundle --minify --mangle-props=^_ --format=esm --target=es2022 --log-level=warning
}
if [ "${1:-}" = --minify ]; then
    cd "$client"
    minify "${2:?which module}"
    exit
fi
parts=(lib wasi playground)
if [ "${1:-}" = --package ]; then
    parts=(lib wasi)
    shift
fi
folder=$(realpath -m "${1:?where the client goes}")
cd "$client"
fail() { echo "stage-client.sh: $*" >&2; exit 1; }
for program in esbuild zopfli; do
    command -v "$program" >/dev/null || fail "$program is missing (Debian: $program)"
done
for program in netcat echo-server; do
    [[ " ${parts[*]} " != *" playground "* || -f "playground/guests/$program.wasm" ]] || fail "playground/guests/$program.wasm is missing: run make playground"
done
mkdir -p "$folder"
# From the index, so that no stray file is published; in an image's build there is no index.
files=$(git ls-files ./*.js ./*.ts package.json README.md "${parts[@]}" 2>/dev/null) ||
    files=$(find ./*.js ./*.ts package.json README.md "${parts[@]}" -type f)
grep -vE '(^|/)(Makefile|\.gitignore|[^/]*\.c)$|guests/' <<<"$files" | tar --create --files-from=- | tar --extract --directory "$folder"
minify wasmnet-client.js --outfile="$folder/wasmnet-client.min.js"
[[ " ${parts[*]} " == *" playground "* ]] || exit 0
mkdir -p "$folder/playground/guests"
install -m 644 playground/guests/{netcat,echo-server}.wasm "$folder/playground/guests/"
# zopfli takes long, and for programs saves little more than gzip.
find "$folder" -type f -name '*.wasm' -exec gzip -9 --no-name --keep --force {} +
find "$folder" -type f ! -name '*.gz' ! -name '*.wasm' -exec zopfli {} +

#!/usr/bin/env bash
# Copies the browser client as the node serves it, the playground and its programs with it, to the folder given.
#   scripts/stage-client.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../client"
folder=${1:?where the client goes}
for program in netcat echo-server; do
    [ -f "playground/guests/$program.wasm" ] || { echo "stage-client.sh: playground/guests/$program.wasm is missing: run make playground" >&2; exit 1; }
done
mkdir -p "$folder"
# From the index, so that nothing that lies about is published; in an image's build there is no index.
files=$(git ls-files ./*.js ./*.ts package.json README.md lib wasi playground 2>/dev/null) ||
    files=$(find ./*.js ./*.ts package.json README.md lib wasi playground -type f)
grep -vE '(^|/)(Makefile|\.gitignore|[^/]*\.c)$|guests/' <<<"$files" | tar --create --files-from=- | tar --extract --directory "$folder"
mkdir -p "$folder/playground/guests"
install -m 644 playground/guests/{netcat,echo-server}.wasm "$folder/playground/guests/"

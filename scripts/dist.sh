#!/usr/bin/env bash
# Makes what a release is, in FOLDER, dist/ by default, which is emptied first:
#   wasmnet-VERSION-linux-ARCH.tar.gz   the node (Swift's runtime, hiredis and zlib in it), the client it serves, unit, configurations, example
#                                       policy, completions, manual page, guides
#   NAME-VERSION.tgz                    the browser client as `npm pack` lays it out
#   wasmnet-VERSION.cdx.json            what it is made of: CycloneDX 1.5
#   SHA256SUMS
#
#   scripts/dist.sh [FOLDER]
#
#   BIN  a node to pack instead of one built by scripts/release.sh; the libraries that it loads at run time are not checked
#
# The same sources and toolchain give the same archives: times are those of the commit, owners are none, names are sorted.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
fail() { echo "dist.sh: $*" >&2; exit 1; }
for program in git esbuild zopfli objdump python3 strip tar gzip sha256sum; do
    command -v "$program" >/dev/null || fail "$program is missing"
done

out=$(realpath -m "${1:-dist}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
rm -f "$out"/{wasmnet-*,SHA256SUMS}

binary=$work/wasmnet-node
if [ -n "${BIN:-}" ]; then
    cp "$BIN" "$binary"
else
    strip -o "$binary" "$(scripts/release.sh)/wasmnet-node"
fi
version=$("$binary" --version | head -1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*' | head -1) || fail "the node does not tell its version"
commit=$(git rev-parse --verify HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit=$commit-changed
epoch=$(git log -1 --format=%ct)
machine=$(uname -m)
grep -q "^## \[\?$version" CHANGELOG.md || fail "CHANGELOG.md has no section for $version"

# The libraries that it loads at run time must be on any Debian, not only here.
if [ -z "${BIN:-}" ]; then
    for library in $(objdump -p "$binary" | awk '/NEEDED/ { print $2 }'); do
        case "$library" in
            libc.so.6 | libm.so.6 | libstdc++.so.6 | libgcc_s.so.1 | ld-linux-*.so.*) ;;
            *) fail "the node needs $library at run time" ;;
        esac
    done
    [ -z "$(nm "$binary" 2>/dev/null)" ] || fail "the node is not stripped"
    echo "dist.sh: the node needs glibc $(objdump -T "$binary" | grep -oE 'GLIBC_[0-9.]+' | sort -V | tail -1 | cut -d_ -f2) or later"
fi

pack() { # pack ARCHIVE FOLDER NAME...: reproducibly, and readable for all
    tar --create --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode='u+w,go-w,a+rX' \
        --directory "$2" "${@:3}" | gzip -n >"$1"
}

name=wasmnet-$version-linux-$machine
tree=$work/$name
mkdir -p "$tree"/{bin,completions,man}
install -m 755 "$binary" "$tree/bin/wasmnet-node"
for shell in bash zsh fish; do
    "$binary" --generate-completion-script "$shell" >"$tree/completions/wasmnet-node.$shell"
done
"$binary" --experimental-dump-help | python3 scripts/dist/manual.py "$(date -u -d "@$epoch" +%F)" "$version" >"$tree/man/wasmnet-node.1"
cp policy.example.toml LICENSE README.md CHANGELOG.md SECURITY.md "$tree/"
# From the index: no stray files, least of all secrets. Without the files that need the sources.
git ls-files docs deploy | grep -v '^deploy/\(check\|docker/\)' | tar --create --files-from=- | tar --extract --directory "$tree"
scripts/stage-client.sh --package "$work/client"
python3 scripts/dist/npm_layout.py "$work/client" "$work/npm" >"$work/npm-name"
cp LICENSE "$work/npm/package/"
pack "$out/$(cat "$work/npm-name")" "$work/npm" package
# The served files are beside the binary, where --serve-client looks for them.
scripts/stage-client.sh "$tree/share/wasmnet/client"
pack "$out/$name.tar.gz" "$work" "$name"

"$swift" package show-dependencies --format json >"$work/dependencies.json"
SOURCE_DATE_EPOCH=$epoch python3 scripts/dist/sbom.py --version "$version" --commit "$commit" --binary "$binary" \
    --dependencies "$work/dependencies.json" --swift "$("$swift" --version 2>/dev/null | head -1)" >"$out/wasmnet-$version.cdx.json"

(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)

# The archive, tried as after a download.
mkdir "$work/tried"
(cd "$out" && sha256sum --check --quiet SHA256SUMS)
tar --extract --gzip --file "$out/$name.tar.gz" --directory "$work/tried"
tried=$work/tried/$name
"$tried/bin/wasmnet-node" --version >/dev/null
for policy in policy.example.toml deploy/policy.toml deploy/compose/policy.toml deploy/kubernetes/base/policy.toml; do
    "$tried/bin/wasmnet-node" policy check "$tried/$policy" >/dev/null || fail "$policy in the archive is not good"
done
(cd "$out" && ls -l)

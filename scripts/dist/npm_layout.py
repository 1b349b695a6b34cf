#!/usr/bin/env python3
"""Copies an npm package's files to DESTINATION/package/, as `npm pack` chooses them, and prints the archive's name.

    npm_layout.py PACKAGE DESTINATION

It copies the entries of "files" (folders and globs), package.json, and any README, LICENSE or LICENCE at the top level. If package.json refers
to a file that is not copied, that is an error, with exit code 1.
"""
import json
import re
import shutil
import sys
from pathlib import Path

ALWAYS_OUT = {".git", "node_modules", ".npmrc", ".DS_Store", "package-lock.json"}


def chosen(root, manifest):
    files = {root / "package.json"}
    for path in root.iterdir():
        if path.is_file() and re.match(r"(readme|licen[cs]e)(\.|$)", path.name, re.I):
            files.add(path)
    for pattern in manifest["files"]:
        pattern = pattern.removeprefix("./").rstrip("/")
        matches = [root / pattern] if (root / pattern).exists() else sorted(root.glob(pattern))
        if not matches:
            sys.exit(f"npm_layout.py: \"files\" lists {pattern}, which is not there")
        for match in matches:
            files.update(path for path in ([match] if match.is_file() else match.rglob("*")) if path.is_file())
    return {path for path in files if not ALWAYS_OUT & set(path.relative_to(root).parts)}


def references(value):
    """The paths in the value of main, types, exports or bin."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)


def main():
    root, destination = Path(sys.argv[1]), Path(sys.argv[2]) / "package"
    manifest = json.loads((root / "package.json").read_text())
    for key in ("name", "version", "files"):
        if key not in manifest:
            sys.exit(f"npm_layout.py: package.json has no \"{key}\"")
    files = chosen(root, manifest)
    for key in ("main", "module", "types", "exports", "bin"):
        for reference in references(manifest.get(key)):
            if "*" not in reference and root / reference.removeprefix("./") not in files:
                sys.exit(f"npm_layout.py: \"{key}\" names {reference}, which is not in the package")
    for path in files:
        target = destination / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o644)
    # As npm does: @scope/name becomes scope-name.
    print(f"{manifest['name'].lstrip('@').replace('/', '-')}-{manifest['version']}.tgz")


if __name__ == "__main__":
    main()

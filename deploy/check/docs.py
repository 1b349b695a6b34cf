#!/usr/bin/env python3
"""Checks the guides: every relative link leads to a file, and every test that is named is a function of the file it links to.

Exits 1 with a line an error.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    wrong = tests = 0
    for page in [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md")), ROOT / "deploy/README.md", *sorted(ROOT.glob("client/**/README.md"))]:
        for text, target in re.findall(r"\[([^\]]+)\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" in target:
                continue
            path = page.parent / target
            if not path.exists():
                print(f"{page.relative_to(ROOT)}: there is no {target}")
                wrong += 1
            elif path.name.endswith("Tests.swift"):
                tests += 1
                names = re.findall(r"func\s+(?:`([^`]+)`|(\w+))", path.read_text())
                if text not in {quoted or plain for quoted, plain in names}:
                    print(f"{page.relative_to(ROOT)}: {target} has no test \"{text}\"")
                    wrong += 1
    if not tests:
        print("no test is named anywhere")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

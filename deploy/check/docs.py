#!/usr/bin/env python3
"""Checks the guides: every relative link leads to a file and a heading, and every test that they name exists.

The text of a link to a suite (`[name](../Tests/.../SomeTests.swift)`) must be the name of a test in it. In the pages of RULES every list item is a
rule. It ends with `Test:` and the tests that verify it, in backquotes: the function of a Swift test (`name`, or `SomeTests.name` if several suites
have a test of that name) or a file; or it ends with `No test.`. The tables of docs/architecture.md must list every target and its imports, as
Package.swift does. Prints one line for each error, and then exits 1.
"""
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ["docs/protocol.md"]
# The tests at the end of a rule; a number in parentheses is the test's case.
NAMES = r"\b[Tt]est: ((?:(?:, | and )?`[^`]+`(?: \(\d+\))?)+)"


def functions(text):
    return {quoted or plain for quoted, plain in re.findall(r"func\s+(?:`([^`]+)`|(\w+))", text)}


def tests(text):
    """The functions marked with `@Test`, whose arguments may contain any text."""
    parts = re.split(r"@Test\b", text)[1:]
    return {quoted or plain for part in parts for quoted, plain in re.findall(r"\A.*?\bfunc\s+(?:`([^`]+)`|(\w+))", part, re.S)}


def anchors(text):
    """The headings of a page in the form that links use."""
    titles = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).replace(" ", "-") for title in titles}


def links(page):
    """Errors of a page's links, and how many of the links name a test."""
    wrong, named = [], 0
    for text, target, anchor in re.findall(r"\[([^\]]+)\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if "://" in target:
            continue
        path = page.parent / target if target else page
        if not path.exists():
            wrong.append(f"there is no {target}")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            wrong.append(f"{target or 'it'} has no heading #{anchor}")
        elif path.name.endswith("Tests.swift"):
            named += 1
            if text not in functions(path.read_text()):
                wrong.append(f"{target} has no test \"{text}\"")
    return wrong, named


def rules(page, suites):
    """Errors of a page whose list items are rules, and how many tests it names."""
    wrong, named = [], 0
    for line in page.read_text().splitlines():
        found = re.search(NAMES, line)
        if line.startswith("- ") and not line.endswith(" No test.") and not (found and line[found.end():] == "."):
            wrong.append(f"a rule without a test: {line[2:80]}")
        for name in re.findall(r"`([^`]+)`", found.group(1) if found else ""):
            named += 1
            if "/" in name:
                if not (ROOT / name).is_file():
                    wrong.append(f"there is no {name}")
                continue
            suite, _, function = name.rpartition(".")
            places = [path for path in suites[function] if not suite or path.stem == suite]
            if len(places) != 1:
                wrong.append(f"{name} is " + ("no test" if not places else f"a test of {', '.join(path.stem for path in places)}: say of which"))
    return wrong, named


def imports(manifest):
    """Each target of the package, with the targets of the package that it depends on."""
    parts = re.split(r"\.(?:executableTarget|testTarget|target|systemLibrary)\(", manifest.read_text())[1:]
    named = {re.search(r'name: "([^"]+)"', part).group(1): part for part in parts if re.match(r'\s*name: "', part)}
    lists = {name: re.search(r"(?s)dependencies: \[(.*?)\]", part) for name, part in named.items()}
    return {name: {other for other in re.findall(r'"([^"]+)"', found.group(1)) if other in named} if found else set() for name, found in lists.items()}


def chart(page, package):
    """Errors of the tables of targets."""
    rows = {name: set(re.findall(r"`([^`]+)`", cell)) for name, cell in re.findall(r"(?m)^\| `([\w-]+)` \|.*\| ([^|]*) \|$", page.read_text())}
    return [f"{name} imports {', '.join(sorted(package.get(name, []))) or 'nothing'} in Package.swift, and {', '.join(sorted(rows.get(name, []))) or 'nothing'} here"
            for name in sorted(rows.keys() | package.keys()) if rows.get(name) != package.get(name)]


def main():
    suites = defaultdict(list)
    for path in sorted((ROOT / "Tests").glob("*/**/*.swift")):
        for name in tests(path.read_text()):
            suites[name].append(path)
    pages = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md")), ROOT / "deploy/README.md", *sorted(ROOT.glob("client/**/README.md"))]
    results = [(page, *links(page)) for page in pages] + [(ROOT / page, *rules(ROOT / page, suites)) for page in RULES]
    wrong = [f"{page.relative_to(ROOT)}: {error}" for page, errors, _ in results for error in errors]
    if not sum(named for page, _, named in results if page not in [ROOT / rule for rule in RULES]):
        wrong.append("no test is named anywhere")
    for rule in RULES:
        if not sum(named for page, _, named in results if page == ROOT / rule):
            wrong.append(f"{rule}: no test is named")
    wrong += [f"docs/architecture.md: {error}" for error in chart(ROOT / "docs/architecture.md", imports(ROOT / "Package.swift"))]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

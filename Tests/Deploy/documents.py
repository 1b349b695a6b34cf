#!/usr/bin/env python3
"""What the documents point to is there: files, headings, and the tests that a claim rests on.

    Tests/Deploy/documents.py
"""
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[([^\]\[]*)\]\(([^)\s]+)\)")


def documents():
    return [ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split()]


def links(document):
    """Words, file and heading of each link that leads to a file here."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    for words, target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            path, _, heading = target.partition("#")
            yield words, (document.parent / path).resolve() if path else document, heading


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


class DocumentTests(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        found = 0
        for document in documents():
            for words, path, heading in links(document):
                found += 1
                self.assertTrue(path.exists(), f"{document.relative_to(ROOT)}: [{words}] leads to no file")
                if heading:
                    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
                    self.assertIn(heading, {slug(each) for each in headings}, f"{document.relative_to(ROOT)}: [{words}]")
        self.assertGreater(found, 100)

    def test_every_test_that_the_threat_model_names_exists(self):
        found = 0
        for words, path, _ in links(ROOT / "docs/threat-model.md"):
            if "Tests" not in path.parts or path.suffix not in (".swift", ".js", ".py", ".mjs"):
                continue
            found += 1
            self.assertIn(words, path.read_text(), f"{path.relative_to(ROOT)} has no test named {words}")
        self.assertGreater(found, 50)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Makes a release of a given node twice, and uses it as someone who downloads it would.

    WASMNET_NODE=path/to/wasmnet-node Tests/Deploy/dist.py
"""
import gzip
import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = os.environ["WASMNET_NODE"]


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def make(folder, node):
    run(ROOT / "scripts/dist.sh", folder, cwd=ROOT, env={**os.environ, "BIN": node})
    return folder


class DistTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.work = Path(temporary.name)
        # A release is stripped as well; packing the debug information would take a minute.
        cls.stripped = cls.work / "stripped"
        run("strip", "-o", cls.stripped, NODE)
        cls.release = make(cls.work / "release", cls.stripped)
        cls.archive, = cls.release.glob("wasmnet-*-linux-*.tar.gz")
        run("tar", "--extract", "--gzip", "--file", cls.archive, "--directory", cls.work)
        cls.tree = cls.work / cls.archive.name.removesuffix(".tar.gz")
        cls.node = cls.tree / "bin/wasmnet-node"

    def test_the_same_sources_give_the_same_archives(self):
        again = make(self.work / "again", self.stripped)
        self.assertEqual((self.release / "SHA256SUMS").read_text(), (again / "SHA256SUMS").read_text())

    def test_the_checksums_are_those_of_every_file(self):
        run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=self.release)
        named = {line.split()[1] for line in (self.release / "SHA256SUMS").read_text().splitlines()}
        self.assertEqual(named, {path.name for path in self.release.iterdir()} - {"SHA256SUMS"})

    def test_an_operator_finds_what_the_guides_speak_of(self):
        for path in ("LICENSE", "CHANGELOG.md", "README.md", "policy.example.toml", "docs/operating.md", "deploy/systemd/wasmnet-node.service",
                     "deploy/haproxy/haproxy.cfg", "deploy/nginx/wasmnet.conf", "deploy/prometheus/wasmnet.rules.yml"):
            self.assertTrue((self.tree / path).is_file(), path)
        # No sources, and no stray files.
        tracked = set(run("git", "ls-files", cwd=ROOT).splitlines())
        for folder in ("docs", "deploy"):
            for path in (self.tree / folder).rglob("*"):
                if path.is_file():
                    self.assertIn(str(path.relative_to(self.tree)), tracked)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (self.node, self.tree / "policy.example.toml")}
        self.assertEqual(modes, {"wasmnet-node": 0o755, "policy.example.toml": 0o644})

    def test_the_node_serves_the_client_beside_it_from_any_folder(self):
        node = subprocess.Popen([self.node, "serve", "--port", "0", "--no-admin", "--serve-client"], cwd="/", stderr=subprocess.PIPE, text=True)
        try:
            port = next(found.group(1) for line in node.stderr if (found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
            for path, start in (("client/wasmnet-client.js", b"//"), ("client/wasmnet-client.min.js", b"//wasmnet "), ("client/wasi/index.js", b""), ("playground/", b"<!doctype html>"),
                                ("playground/guests/netcat.wasm", b"\0asm"), ("playground/guests/echo-server.wasm", b"\0asm")):
                request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Accept-Encoding": "gzip"})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.assertEqual(answer.headers["Content-Encoding"], "gzip", path)
                    self.assertTrue(gzip.decompress(answer.read()).lower().startswith(start), path)
        finally:
            node.terminate()
            self.assertEqual(node.wait(30), 0)
            node.stderr.close()

    def test_every_flag_has_its_place_in_the_manual_and_the_completions(self):
        flags = set(re.findall(r"--[a-z][a-z-]+", run(self.node, "serve", "--help")))
        self.assertIn("--policy", flags)
        page = (self.tree / "man/wasmnet-node.1").read_text().replace("\\-", "-")
        self.assertEqual(flags - set(re.findall(r"--[a-z][a-z-]+", page)), set())
        run("bash", "-n", self.tree / "completions/wasmnet-node.bash")
        for shell in ("bash", "zsh", "fish"):
            script = (self.tree / f"completions/wasmnet-node.{shell}").read_text()
            written = {f"--{name}" for name in re.findall(r"(?:--|-l '?)([a-z][a-z-]+)", script)}
            self.assertEqual(flags - written, set(), shell)

    def test_the_client_package_is_imported_by_its_name(self):
        package, = self.release.glob("wasmnet-*.tgz")
        modules = self.work / "page/node_modules"
        modules.mkdir(parents=True)
        run("tar", "--extract", "--gzip", "--file", package, "--directory", modules)
        (modules / "package").rename(modules / "wasmnet")
        self.assertTrue((modules / "wasmnet/LICENSE").is_file())
        script = """
            import { WasmnetClient } from "wasmnet";
            import { WasmnetClient as Whole } from "wasmnet/wasmnet-client.min.js";
            import { run, wrapImports } from "wasmnet/wasi/index.js";
            console.log([WasmnetClient, Whole, run, wrapImports].map((each) => typeof each).join());
            """
        (self.work / "page/use.mjs").write_text(script)
        self.assertEqual(run("node", "use.mjs", cwd=self.work / "page").strip(), "function,function,function,function")
        self.assertEqual(list(modules.rglob("*.gz")), [])

    def test_the_whole_client_is_one_small_module(self):
        file = self.tree / "share/wasmnet/client/wasmnet-client.min.js"
        self.assertNotRegex(file.read_text(), r"\b(import|export)\b[^;]*\bfrom\b")
        # The size that a browser downloads. The limit is 11 KiB, as in client/test/size.js.
        self.assertLessEqual(file.with_name(file.name + ".gz").stat().st_size, 11_264)

    def test_what_is_served_lies_there_gzipped(self):
        folder = self.tree / "share/wasmnet/client"
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz"]
        self.assertGreater(len(files), 50)
        for path in files:
            self.assertEqual(gzip.decompress(path.with_name(path.name + ".gz").read_bytes()), path.read_bytes(), path)

    def test_the_bill_of_materials_names_every_part(self):
        file, = self.release.glob("*.cdx.json")
        bill = json.loads(file.read_text())
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        by_name = {component["name"].lower(): component for component in bill["components"]}
        wanted = re.findall(r'\.package\(url: "[^"]*/([^"/]+?)(?:\.git)?", exact: "([^"]+)"', (ROOT / "Package.swift").read_text())
        self.assertGreater(len(wanted), 10)
        for name, version in wanted:
            self.assertEqual(by_name[name.lower()]["version"], version)
        for name in ("hiredis", "zlib", "boringssl", "libc6"):
            self.assertIn(name, by_name)
        for component in bill["components"]:
            self.assertTrue(component["purl"].startswith("pkg:"), component)
            self.assertTrue(component["version"], component)
        references = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
        for edge in bill["dependencies"]:
            self.assertLessEqual({edge["ref"], *edge.get("dependsOn", [])}, references)


if __name__ == "__main__":
    unittest.main()

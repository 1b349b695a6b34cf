#!/usr/bin/env python3
"""Tests what surrounds the program: scripts/test.sh, the installers, the image's build, secrets, environment files, policies, exit codes.

    WASMNET_NODE=path/to/wasmnet-node Tests/Deploy/packages.py
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = os.environ.get("WASMNET_NODE", "")
IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE)


def ran(*command, **options):
    return subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, **options)


def without_signals():
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, name, text):
        """Writes a program with this name into the folder that `stubs` puts first in PATH."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def stubs(self, **variables):
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", **variables}


class TestScriptTests(Folder):
    """scripts/test.sh with programs that only record that they were called."""

    def setUp(self):
        super().setUp()
        self.calls = self.folder / "calls"
        self.program("swift", f'echo "swift $*" >>{self.calls}; [[ "$*" != *"$FAILING"* ]]')
        self.program("node", f'echo "node $*" >>{self.calls}; [[ "$*" != *"$FAILING"* ]] || {{ echo "✖ one test" >&2; exit 1; }}')
        self.program("python3", f'echo "python3 $*" >>{self.calls}; grep ^SigIgn /proc/self/status >>{self.calls}; [[ "$*" != *"$FAILING"* ]]')

    def run_script(self, *suites, failing="nothing", **options):
        done = ran(ROOT / "scripts/test.sh", *suites, env=self.stubs(FAILING=failing, WASMNET_NODE="/bin/true"), **options)
        return done, self.calls.read_text() if self.calls.exists() else ""

    def test_a_suite_that_fails_does_not_hide_the_others(self):
        done, calls = self.run_script("cluster", "dashboard", "addresses", "swift", failing="dashboard")
        self.assertEqual(done.returncode, 1, done.stderr)
        for name in ("swift test --skip-build --filter", "Tests/dashboard", "Tests/Fleet/addresses.py", "swift test --skip-build --skip"):
            self.assertIn(name, calls)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[-1], "3 passed, 1 failed")
        self.assertRegex(done.stdout, r"(?m)^dashboard +FAILED \(1\) +\d+ s$")
        self.assertRegex(done.stdout, r"(?m)^swift +passed +\d+ s$")
        self.assertIn("== dashboard: its failures\n✖ one test\n", done.stdout)

    def test_all_that_pass_are_a_success(self):
        done, _ = self.run_script("dashboard", "addresses")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "2 passed, 0 failed"))

    def test_a_failed_build_ends_the_run(self):
        done, calls = self.run_script("dashboard", "swift", failing="build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the build failed; no test was run", done.stderr)
        self.assertNotIn("node", calls)

    def test_a_suite_that_is_not_there_is_named(self):
        done, _ = self.run_script("dashbord")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no suite dashbord", done.stderr)

    def test_suites_do_not_inherit_signals_that_are_ignored(self):
        done, calls = self.run_script("addresses", preexec_fn=without_signals)
        self.assertEqual(done.returncode, 0, done.stderr)
        ignored = int(re.search(r"SigIgn:\s*(\w+)", calls).group(1), 16)
        self.assertEqual([number for number in IGNORED if ignored >> (number - 1) & 1], [])

    def test_every_test_program_is_a_suite(self):
        script = (ROOT / "scripts/test.sh").read_text()
        called = re.search(r"(?s)run\(\) \{.*?\n\}", script).group()
        # soak.py is a separate long run; target.py and fault_proxy.py are helpers of other tests.
        for path in [*ROOT.glob("Tests/Deploy/*.py"), *ROOT.glob("Tests/Fleet/*.py")]:
            if "__main__" in path.read_text() and path.name not in ("soak.py", "target.py", "fault_proxy.py"):
                self.assertIn(str(path.relative_to(ROOT)), called)
        suites = re.findall(r"(?m)^        ([\w-]+)\) ", called)
        lists = [re.search(rf"(?m)^{name}=\((.*)\)$", script).group(1).split() for name in ("all", "named")]
        self.assertEqual(lists[0] + lists[1], suites)
        self.assertEqual(re.findall(r"(?m)^#   ([a-z][\w-]+) {2,}", script.split("WASMNET_NODE")[0]), suites)


class InstallerTests(Folder):
    """The installers with an apt that installs nothing, in a mount namespace in which they may write."""

    def setUp(self):
        super().setUp()
        if ran("unshare", "--mount", "true").returncode != 0:
            self.skipTest("no mount namespaces here: not root")
        self.program("dpkg-query", "exit 1")
        # Runs policy-rc.d as invoke-rc.d does before it starts a package's service.
        self.program("apt-get", f'echo "$*: $(/usr/sbin/policy-rc.d redis-server start; echo $?)" >>{self.folder}/calls')
        (self.folder / "lists").mkdir()
        for path in Path("/etc/apt/sources.list.d").glob("*.sources"):
            shutil.copy(path, self.folder / "lists")
        (self.folder / "sbin").mkdir()

    def test_no_package_starts_a_service(self):
        scripts = {ROOT / "scripts/install.sh": ["cluster"], ROOT / "client/guests/install.sh": ["programs"]}
        # Every script of the repository that installs packages.
        for name in ran("git", "-C", ROOT, "grep", "-lE", "apt-get .*install", "--", "*.sh").stdout.split():
            self.assertIn(ROOT / name, scripts)
        for script, words in scripts.items():
            with self.subTest(script.name):
                (self.folder / "calls").unlink(missing_ok=True)
                done = ran("unshare", "--mount", "bash", "-c",
                           'mount --bind "$0/sbin" /usr/sbin && mount --bind "$0/lists" /etc/apt/sources.list.d && "$@" && ls /usr/sbin',
                           self.folder, script, *words, env=self.stubs())
                self.assertEqual(done.returncode, 0, done.stderr)
                calls = (self.folder / "calls").read_text()
                self.assertRegex(calls, "install .*redis-server")
                self.assertEqual({line.rsplit(" ", 1)[1] for line in calls.splitlines()}, {"101"})
                self.assertEqual(os.listdir(self.folder / "sbin"), [], "policy-rc.d stays")


class ImageTests(Folder):
    """The files that .dockerignore leaves for the image's build: each step must find those that it names."""

    def setUp(self):
        super().setUp()
        dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
        self.dockerfile = re.sub(r"(?m)^\s*#.*\n", "", dockerfile).replace("\\\n", " ")
        self.context = self.folder / "source"
        rules = [line for line in (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"]
        for name in ran("git", "-C", ROOT, "ls-files").stdout.splitlines():
            if self.is_sent(name, rules) and (ROOT / name).is_file():
                (self.context / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.context / name)

    @staticmethod
    def is_sent(name, rules):
        """Whether the build gets the file: the last rule that matches it or a folder above it decides."""
        sent = True
        for rule in rules:
            pattern = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            if re.match(rf"{pattern}(?:/|$)", name):
                sent = rule.startswith("!")
        return sent

    def test_its_steps_find_what_they_name(self):
        for sources in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", self.dockerfile):
            for source in sources.split():
                self.assertTrue((self.context / source).exists(), source)
        for path in re.findall(r"(?:^|\s)((?:scripts|deploy|client)/[\w./-]+)", self.dockerfile):
            self.assertTrue((self.context / path).exists(), path)
        for path in re.findall(r"COPY --from=build /source/(\S+)", self.dockerfile):
            self.assertTrue((self.context / path).exists(), path)
        # The scripts that the build runs, and the scripts that those name.
        for script in self.context.glob("scripts/*.sh"):
            for path in re.findall(r"scripts/[\w-]+\.sh", script.read_text()):
                self.assertTrue((self.context / path).exists(), f"{script.name}: {path}")

    def test_every_target_of_the_package_is_there(self):
        done = ran(os.environ.get("SWIFT") or "swift", "package", "--package-path", self.context, "dump-package")
        self.assertEqual(done.returncode, 0, done.stderr)
        for target in json.loads(done.stdout)["targets"]:
            folders = [target["path"]] if target.get("path") else [f"Sources/{target['name']}", f"Tests/{target['name']}"]
            self.assertTrue(any((self.context / folder).is_dir() for folder in folders), target["name"])
            for resource in target.get("resources", []):
                self.assertTrue((self.context / folders[0] / resource["path"]).exists(), resource)

    def test_the_client_that_it_serves_is_whole(self):
        self.assertFalse((self.context / "client/playground/guests").exists())
        for root, folder in ((self.context, self.folder / "image"), (ROOT, self.folder / "here")):
            built = ran("make", "-C", root / "client/playground")
            self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
            # A relative folder, as make gives it.
            done = ran(root / "scripts/stage-client.sh", folder.name, cwd=folder.parent)
            self.assertEqual(done.returncode, 0, done.stderr)
        files = [{str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} for top in (self.folder / "image", self.folder / "here")]
        self.assertEqual(*files)
        self.assertIn("wasmnet-client.js", files[0])

    def test_nothing_else_is_sent(self):
        for path in ("README.md", "docs", "deploy/compose/secrets", ".git", "dist"):
            self.assertFalse((self.context / path).exists(), path)


class ComposeTests(Folder):
    def test_prepare_makes_every_file_that_compose_reads_and_keeps_them(self):
        shutil.copytree(ROOT / "deploy", self.folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
        compose = self.folder / "deploy/compose"
        script = ran(compose / "prepare.sh")
        self.assertEqual(script.returncode, 0, script.stderr)
        for name in re.findall(r"secrets/[\w.-]+", (compose / "compose.yml").read_text()):
            self.assertTrue((compose / name).is_file(), name)
        self.assertNotIn("change-me", (compose / "secrets/wasmnet.acl").read_text())
        self.assertGreaterEqual(len((compose / "secrets/admin-token").read_text()), 16)
        self.assertEqual((compose / "secrets").stat().st_mode & 0o777, 0o700)
        before = {path: path.read_bytes() for path in (compose / "secrets").iterdir()}
        self.assertEqual(ran(compose / "prepare.sh").returncode, 0)
        self.assertEqual(before, {path: path.read_bytes() for path in (compose / "secrets").iterdir()})


class NodeTests(Folder):
    """The node with the configurations of deploy/."""

    def serve(self, variables, until):
        """Starts a node. Returns its log up to these words, or to its end; and "said" if it logged them, else its exit status."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WASMNET_")}
        node = subprocess.Popen([NODE, "serve"], env={**clean, **variables}, stderr=subprocess.PIPE, text=True)
        self.addCleanup(node.stderr.close)
        log = ""
        for line in node.stderr:
            log += line
            if until in line:
                node.terminate()
                self.assertEqual(node.wait(30), 0)
                return log, "said"
        return log, node.wait(30)

    def variables(self, **changes):
        """The variables of wasmnet-node.env, with paths and ports for this test."""
        lines = [line for line in (ROOT / "deploy/systemd/wasmnet-node.env").read_text().splitlines() if line and line[0] != "#"]
        variables = dict(line.split("=", 1) for line in lines)
        line = re.search(r"line: +(.*)", ran(NODE, "token", "new", "amy").stdout).group(1)
        (self.folder / "tokens").write_text(line + "\n")
        places = {"WASMNET_PORT": "0", "WASMNET_ADMIN_PORT": "0", "WASMNET_POLICY": str(ROOT / "deploy/policy.toml"),
                  "WASMNET_TOKEN_FILE": str(self.folder / "tokens"), "WASMNET_DRAIN_TIMEOUT": "1"}
        return {**variables, **places, **changes}

    def test_it_starts_with_the_units_environment(self):
        log, status = self.serve(self.variables(), until='"listening')
        self.assertEqual(status, "said", log)
        self.assertNotIn("open proxy", log)

    def test_exit_codes_are_what_the_unit_goes_by(self):
        # Redis may come back, and a port may become free: the exit status is 1, and the unit restarts the node.
        away = "redis://wasmnet:PASSWORD@127.0.0.1:1"
        log, status = self.serve(self.variables(WASMNET_REDIS=away), until="nothing")
        self.assertEqual(status, 1, log)
        log, status = self.serve(self.variables(WASMNET_REDIS=away, WASMNET_REDIS_OPTIONAL="true"), until='"listening')
        self.assertEqual(status, "said", log)
        # A wrong configuration stays wrong: the exit status is 2, and the unit does not restart the node.
        for wrong in ({"WASMNET_POLICY": "/nowhere"}, {"WASMNET_TOKEN_FILE": "/nowhere"}, {"WASMNET_REDIS": "nonsense"}, {"WASMNET_DRAIN_TIMEOUT": "soon"}):
            log, status = self.serve(self.variables(**wrong), until="nothing")
            self.assertEqual(status, 2, f"{wrong}: {log}")
        unit = (ROOT / "deploy/systemd/wasmnet-node.service").read_text()
        self.assertIn("\nRestartPreventExitStatus=2\n", unit)

    def test_the_policies_let_nothing_private_and_no_mail_through(self):
        for policy in ("policy.toml", "compose/policy.toml", "kubernetes/base/policy.toml"):
            for destination, status in (("8.8.8.8:443", 0), ("8.8.8.8:25", 3), ("8.8.8.8:465", 3), ("8.8.8.8:587", 3), ("10.1.2.3:80", 3),
                                        ("127.0.0.1:80", 3), ("169.254.169.254:80", 3), ("192.168.1.1:443", 3), ("[fd00::1]:443", 3), ("[::1]:80", 3)):
                done = ran(NODE, "policy", "explain", ROOT / "deploy" / policy, destination)
                self.assertEqual(done.returncode, status, f"{policy} {destination}: {done.stdout}{done.stderr}")

    def test_every_flag_and_variable_that_is_named_exists(self):
        flags = set(re.findall(r"--[a-z][a-z-]+", ran(NODE, "serve", "--help").stdout))
        for command in (("quota", "set"), ("quota", "show"), ("denylist", "add"), ("policy", "explain"), ("token", "new"), ("cluster",)):
            flags |= set(re.findall(r"--[a-z][a-z-]+", ran(NODE, *command, "--help").stdout))
        variables = {"WASMNET_" + flag[2:].upper().replace("-", "_") for flag in flags} | {"WASMNET_ADMIN_TOKEN", "WASMNET_NAME"}
        for path in [*ROOT.glob("deploy/systemd/*"), ROOT / "deploy/compose/compose.yml", ROOT / "deploy/docker/Dockerfile",
                     *ROOT.glob("deploy/kubernetes/*/*.*"), ROOT / "docs/operating.md"]:
            for name in set(re.findall(r"\bWASMNET_[A-Z_]+\b", path.read_text())):
                if not name.startswith("WASMNET_LB_"):
                    self.assertIn(name, variables, path.name)
        haproxy = (ROOT / "deploy/haproxy/haproxy.cfg").read_text()
        for name in set(re.findall(r"\bWASMNET_LB_[A-Z_]+\b", (ROOT / "deploy/compose/compose.yml").read_text() + (ROOT / "docs/threat-model.md").read_text())):
            self.assertIn(name, haproxy)
        for line in re.findall(r"`wasmnet-node [^`]*`|`--[^`]*`", (ROOT / "docs/operating.md").read_text()):
            for flag in re.findall(r"--[a-z][a-z-]+", line):
                self.assertIn(flag, flags, line)


if __name__ == "__main__":
    if not os.access(NODE, os.X_OK):
        sys.exit("packages.py: WASMNET_NODE names the node's program")
    unittest.main(verbosity=2)

#!/usr/bin/env bash
# Sends the Autobahn test suite's fuzzing client against the node's own WebSocket: sections 1 to 7, 9 and 10 have to be OK or NON-STRICT.
# The suite is on PyPI and needs Python 2.7: PYTHON2=FILE, or python2.7 in PATH or under pyenv. Reports: .build-autobahn/reports.
set -euo pipefail
cd "$(dirname "$0")/.."
python=
for candidate in ${PYTHON2:+"$PYTHON2"} python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
    # pyenv's stub for a version that is not selected exists, but does not run.
    if [ "$("$candidate" -c 'import sys; print(sys.version_info[:2] == (2, 7))' 2>/dev/null)" = True ]; then python=$candidate; break; fi
done
[ -n "$python" ] || {
    echo "make test-autobahn needs Python 2.7, for which the suite is written: none is here (PYTHON2=FILE names one). Not run." >&2
    exit 3
}
work=$PWD/.build-autobahn
port=${PORT:-19001}
if [ ! -e "$work/suite/zope/__init__.py" ]; then
    "$python" -m pip --disable-pip-version-check install -q --target "$work/suite" autobahntestsuite==25.10.1
    touch "$work/suite/zope/__init__.py"
fi
bin=$(scripts/release.sh autobahn-echo)
"$bin/autobahn-echo" "$port" &
echo=$!
trap 'kill "$echo" 2>/dev/null || true' EXIT
cat >"$work/spec.json" <<JSON
{"outdir": "$work/reports", "servers": [{"agent": "wasmnet", "url": "ws://127.0.0.1:$port"}],
 "cases": ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"], "exclude-cases": [], "exclude-agent-cases": {}}
JSON
for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
(cd "$work" && PYTHONPATH="$work/suite" "$python" -c 'from autobahntestsuite.wstest import run; run()' -m fuzzingclient -s spec.json)
python3 - "$work/reports/index.json" <<'PY'
import collections, json, sys
cases = json.load(open(sys.argv[1]))["wasmnet"]
good = {"OK", "NON-STRICT", "INFORMATIONAL"}
bad = {name: case for name, case in cases.items() if not {case["behavior"], case["behaviorClose"]} <= good}
print(len(cases), "cases:", dict(collections.Counter(case["behavior"] for case in cases.values())))
for name, case in sorted(bad.items()):
    print(name, case["behavior"], "close", case["behaviorClose"])
sys.exit(1 if bad or len(cases) < 200 else 0)
PY

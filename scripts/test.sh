#!/usr/bin/env bash
# Builds, then runs suites of tests one after the other, also after one has failed. Prints at the end each failed one's report of its
# failures, how each ended and how long it took, then "N passed, N failed" in suites. Exits 1 if the build or a suite failed.
# `make test` installs what they need, and runs them all.
#
#   scripts/test.sh [SUITE...]
#
#   cluster          many nodes in processes of their own, beside a real Redis
#   dashboard        the dashboard in Chromium
#   client           the browser client, in Node and in browsers
#   wasi             WASI programs in browsers
#   check-deploy     deploy/check.sh
#   packages         installers, the image's build, environment files, policies, exit codes, this script
#   cluster-script   scripts/cluster.sh in a terminal
#   alerts           every alert by its cause
#   dist             a release
#   addresses        whose address a node counts by, behind HAProxy and nginx
#   outage           a limit over three nodes while something happens to Redis: four rows of what `make outage` prints
#   rolling-restart  three nodes behind HAProxy, restarted under load
#   instructions     instructions and allocations of a message and a connect, under callgrind, beside their thresholds
#   faults           the same under FAULTS=20 faults over SPAN=180 seconds; SEED=N
#   swift            every other test in Swift
#   programs         programs of Debian's sources in browsers; the first time takes minutes to build them, so only where it is named
#
#   WASMNET_NODE  the node's program; without it one is built in release
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# A shell cannot reset a signal that it inherited as ignored, as from nohup or from a background script, and the programs
# that tests end by a signal would inherit that too. SIGHUP stays ignored: nohup is meant to keep this run alive.
[ -n "${WASMNET_TEST_SIGNALS:-}" ] ||
    exec env --default-signal=INT,QUIT,TERM,PIPE,CHLD WASMNET_TEST_SIGNALS=default "scripts/${0##*/}" "$@"
unset WASMNET_TEST_SIGNALS
trap 'exit 130' INT
trap 'exit 143' TERM

swift=${SWIFT:-swift}
# The first ones use the whole machine; the last one ends with the runner's closing line.
all=(cluster dashboard client wasi check-deploy packages cluster-script alerts dist addresses outage rolling-restart instructions faults swift)
named=(programs)
[ $# -gt 0 ] || set -- "${all[@]}"
for suite in "$@"; do
    [[ " ${all[*]} ${named[*]} " == *" $suite "* ]] || { echo "test.sh: there is no suite $suite; there are: ${all[*]} ${named[*]}" >&2; exit 2; }
done

run() {
    case "$1" in
        cluster) "$swift" test --skip-build --filter '^ClusterTests\.Cluster/' ;;
        dashboard) node --test --test-reporter=spec --test-concurrency=2 Tests/dashboard/*.test.mjs ;;
        client) node --test --test-reporter=spec --test-concurrency=2 client/test/*.test.js client/test/browser/*.test.js ;;
        wasi) node --test --test-reporter=spec --test-concurrency=1 client/test/wasi/*.test.js ;;
        check-deploy) deploy/check.sh --node "$WASMNET_NODE" ;;
        packages) Tests/Deploy/packages.py ;;
        cluster-script) Tests/Deploy/cluster_script.py ;;
        alerts) Tests/Deploy/cluster_alerts.py ;;
        dist) Tests/Deploy/dist.py ;;
        addresses) python3 -B Tests/Fleet/addresses.py ;;
        outage) python3 -B Tests/Fleet/outage.py short ;;
        rolling-restart) python3 -B Tests/Fleet/rolling_restart.py ;;
        instructions) python3 -B Benchmarks/instructions.py ;;
        faults) python3 -B Tests/Fleet/fault_sequence.py --faults "${FAULTS:-20}" --seconds "${SPAN:-180}" ${SEED:+--seed "$SEED"} ;;
        swift) "$swift" test --skip-build --skip '^ClusterTests\.Cluster/' --experimental-maximum-parallelization-width 3 ;;
        programs) node --test --test-reporter=spec --test-concurrency=1 client/test/wasi/programs/*.test.js ;;
    esac
}

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
lines=()
# timed NAME COMMAND...: runs it and keeps its output, and a line with its result.
timed() {
    local name=$1 begun=$SECONDS status=0 word=passed
    shift
    echo "== $name"
    exec 3> >(tee "$logs/$name")
    "$@" >&3 2>&1 3>&- || status=$?
    exec 3>&-
    # A process that a suite left behind may keep its output open; it is not waited for.
    timeout 5 tail --pid=$! -f /dev/null
    [ "$status" -eq 0 ] || word="FAILED ($status)"
    lines+=("$(printf '%-16s %-12s %5d s' "$name" "$word" $((SECONDS - begun)))")
    return "$status"
}

# Without the programs there is nothing to test.
built() {
    timed "$@" && return
    echo "test.sh: the build failed; no test was run" >&2
    exit 1
}
if [[ " $* " == *" swift "* || " $* " == *" cluster "* ]]; then
    built build "$swift" build --explicit-target-dependency-import-check error --build-tests
fi
if [ -z "${WASMNET_NODE:-}" ]; then
    built build-release scripts/release.sh
    # Its last line has the location.
    WASMNET_NODE=$(tail -n 1 "$logs/build-release")/wasmnet-node
fi
export WASMNET_NODE

# A suite's report of its failures, as the runners of Swift, Node and the scripts mark them; its last lines if none is marked.
failures() {
    echo "== $1: its failures"
    grep -m 24 -E '✘|✖|FAIL|Error:|^ +[+-] ' "$logs/$1" | cut -c1-300 || tail -n 24 "$logs/$1"
}

passed=0 broken=()
for suite in "$@"; do
    if timed "$suite" run "$suite"; then passed=$((passed + 1)); else broken+=("$suite"); fi
done
for suite in "${broken[@]}"; do failures "$suite"; done
echo "== suites"
printf '%s\n' "${lines[@]}"
echo "$passed passed, ${#broken[@]} failed"
[ "${#broken[@]}" -eq 0 ]

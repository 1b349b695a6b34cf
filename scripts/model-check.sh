#!/usr/bin/env bash
# Checks the lease protocol with spin: the true model must pass in every size, exhaustively, and every mutant must fail.
# DEEP=1 adds larger sizes. Needs spin and gcc; two runs at a time, each in 2.5 GB at most (DEEP: 8 GB).
set -uo pipefail
cd "$(dirname "$0")/.." || exit
model="$PWD/Tests/Models/leases/leases.pml"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
memory=2500
jobs=2

# One line a run: name | what must come of it | what spin is given.
# "pass": the whole state space searched and no error. "fail": the bound is broken. "reach": the witness is reached.
small="-DSENDS=2 -DEPOCHS=2 -DOTHER_SENDS=1 -DOTHER_EPOCHS=1"
usual="-DSENDS=3 -DEPOCHS=2 -DOTHER_SENDS=1 -DOTHER_EPOCHS=1"
runs() {
    cat <<END
true: 3 declarations, restart|pass|$usual -DSETTLE -DLEMMA
true: all data lost once|pass|$small -DFLUSHES=1 -DSETTLE -DLEMMA
true: both nodes alike, any doubling|pass|-DSENDS=2 -DEPOCHS=1 -DDUPS=ANY -DSETTLE -DLEMMA
true: late heartbeat answers|pass|$small -DLATE_BEATS -DSETTLE -DLEMMA
true: three nodes|pass|-DN=3 -DSENDS=1 -DEPOCHS=2 -DOTHER_EPOCHS=1 -DSETTLE -DLEMMA
true: limit 3|pass|$small -DL=3 -DSETTLE -DLEMMA
mutant NO_SEQ|fail|$usual -DNO_SEQ
mutant BLIND_INCREMENT|fail|$usual -DBLIND_INCREMENT
mutant LEASE_FROM_REPLY|fail|$small -DLEASE_FROM_REPLY
mutant GROW_ON_STALE|fail|$usual -DGROW_ON_STALE
mutant NO_FENCE|fail|$small -DNO_FENCE
mutant REVIVE|fail|$small -DREVIVE
mutant NO_OWN_CLOCK|fail|$small -DNO_OWN_CLOCK
mutant SHRINK_LATE|fail|$small -DSHRINK_LATE
mutant EARLY_RETIRE|fail|$small -DEARLY_RETIRE
mutant KEEP_EXCESS|fail|$small -DKEEP_EXCESS
mutant NO_EXPIRY|fail|$small -DNO_EXPIRY -DSETTLE
mutant SHORT_HOLD|fail|$small -DFLUSHES=1 -DHOLD=1
mutant NO_GENERATION|fail|$small -DFLUSHES=1 -DNO_GENERATION
witness: an excess is closed|reach|$small -DWITNESS=1
witness: an epoch left with sockets open|reach|$small -DWITNESS=2
witness: both nodes hold sockets|reach|$small -DWITNESS=3
witness: a lapsed node's sockets on top|reach|$small -DWITNESS=4
END
    [ "${DEEP:-0}" = 1 ] || return 0
    cat <<END
deep: three nodes, two declarations|pass|-DN=3 -DSENDS=2 -DEPOCHS=1 -DOTHER_SENDS=1 -DSETTLE -DLEMMA
deep: data lost, both restart|pass|-DSENDS=2 -DEPOCHS=2 -DOTHER_SENDS=1 -DFLUSHES=1 -DSETTLE
deep: without the join flag|pass|$usual -DNO_JOIN -DSETTLE
deep: 3 declarations, limit 3|pass|$usual -DL=3 -DSETTLE -DLEMMA
END
}

# check NUMBER NAME EXPECTED FLAGS: writes one line to $work/NUMBER.line, the first word of which is ok or BAD.
check() {
    local directory="$work/$1" result=none states seconds text
    mkdir "$directory" && cd "$directory" || return
    # shellcheck disable=SC2086 # the flags are words
    if spin $4 -a "$model" >spin.log 2>&1 &&
        gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$memory" -o pan pan.c >gcc.log 2>&1; then
        ./pan -m1000000 >pan.log 2>&1
        if grep -q "assertion violated" pan.log; then
            result=fail
        elif grep -q "errors: 0" pan.log &&
            ! grep -qE "Search not completed|too small|out of memory|reached -DMEMLIM" pan.log; then
            result=pass
        else
            result=incomplete
        fi
    else
        cat spin.log gcc.log 2>/dev/null | tail -3 >&2
    fi
    states="$(awk '/states, stored/ { print $1; exit }' pan.log 2>/dev/null)"
    seconds="$(awk '/elapsed time/ { print $4; exit }' pan.log 2>/dev/null)"
    text="$result"
    [ "$result" = fail ] && [ "$3" = reach ] && result=reach text=reached
    [ "$result" = pass ] && text="pass, exhaustive"
    printf '%s %-42s %12s states %7ss  %s (expected: %s)\n' \
        "$([ "$result" = "$3" ] && echo ok || echo BAD)" "$2" "${states:-0}" "${seconds:-0}" "$text" "$3" \
        >"$work/$1.line"
    cat "$work/$1.line"
    rm -rf "$directory"
}

[ "${DEEP:-0}" = 1 ] && memory=8000 jobs=1
number=0
while IFS='|' read -r name expected flags; do
    number=$((number + 1))
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    (check "$number" "$name" "$expected" "$flags") &
done < <(runs)
wait

good="$(cat "$work"/*.line 2>/dev/null | grep -c '^ok ')"
echo "model-check: $good of $number runs as expected"
[ "$good" -eq "$number" ] && [ "$number" -gt 0 ]

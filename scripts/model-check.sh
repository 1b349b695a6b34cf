#!/usr/bin/env bash
# Checks the lease protocol with spin: the true models must pass in every size, exhaustively, and every mutant must fail.
# DEEP=1 adds larger sizes. Needs spin and gcc; two runs at a time, each in 2.5 GB at most (DEEP: 8 GB).
set -uo pipefail
cd "$(dirname "$0")/.." || exit
models="$PWD/Tests/Models/leases"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
memory=2500
jobs=2

# One line a run: model | name | the expected result | spin's arguments.
# "pass": the whole state space searched without an error. "fail": a bound is violated. "reach": the witness is reached.
small="-DSENDS=2 -DEPOCHS=2 -DOTHER_SENDS=1 -DOTHER_EPOCHS=1"
usual="-DSENDS=3 -DEPOCHS=2 -DOTHER_SENDS=1 -DOTHER_EPOCHS=1"
calm="-DLOSSES=0"
still="-DLOSSES=0 -DFAIR"
runs() {
    cat <<END
leases|true: 3 declarations, restart|pass|$usual -DSETTLE -DLEMMA
leases|true: both nodes alike, any doubling|pass|-DSENDS=2 -DEPOCHS=1 -DDUPS=ANY -DSETTLE -DLEMMA
leases|true: late heartbeat answers|pass|$small -DLATE_BEATS -DSETTLE -DLEMMA
leases|true: three nodes|pass|-DN=3 -DSENDS=1 -DEPOCHS=2 -DOTHER_EPOCHS=1 -DSETTLE -DLEMMA
leases|true: limit 3|pass|$small -DL=3 -DSETTLE -DLEMMA
leases|mutant NO_SEQ|fail|$usual -DNO_SEQ
leases|mutant BLIND_INCREMENT|fail|$usual -DBLIND_INCREMENT
leases|mutant LEASE_FROM_REPLY|fail|$small -DLEASE_FROM_REPLY
leases|mutant GROW_ON_STALE|fail|$usual -DGROW_ON_STALE
leases|mutant NO_FENCE|fail|$small -DNO_FENCE
leases|mutant REVIVE|fail|$small -DREVIVE
leases|mutant NO_OWN_CLOCK|fail|$small -DNO_OWN_CLOCK
leases|mutant SHRINK_LATE|fail|$small -DSHRINK_LATE
leases|mutant EARLY_RETIRE|fail|$small -DEARLY_RETIRE
leases|mutant KEEP_EXCESS|fail|$small -DKEEP_EXCESS
leases|mutant NO_EXPIRY|fail|$small -DNO_EXPIRY -DSETTLE
leases|witness: an excess is closed|reach|$small -DWITNESS=1
leases|witness: an epoch left with sockets open|reach|$small -DWITNESS=2
leases|witness: both nodes hold sockets|reach|$small -DWITNESS=3
leases|witness: a lapsed node's sockets on top|reach|$small -DWITNESS=4
rollcall|true: a loss, cut off, clock forward|pass|-DSTEPS -DSETTLE
rollcall|true: a loss, standstill|pass|-DFAIR -DSTEPS -DSETTLE
rollcall|true: a loss, standstill, credit|pass|-DFAIR -DCREDIT -DSETTLE
rollcall|true: cut off, credit|pass|$calm -DCREDIT -DSETTLE
rollcall|true: standstill, late calls|pass|$still -DLATES=1 -DSETTLE
rollcall|true: a loss, all calls late at the end|pass|-DSETTLE -DSLOW
rollcall|mutant NO_CONTACT|fail|$still -DNO_CONTACT
rollcall|mutant SINCE_OF_LAST_ANSWER|fail|$still -DSINCE_OF_LAST_ANSWER
rollcall|left: one sleeps while Redis stands still|fail|$still -DPAUSES
rollcall|mutant STEP_UNSEEN|fail|$still -DSTEPS -DSTEP_UNSEEN
rollcall|mutant LATE_GROWTH|fail|$still -DLATES=1 -DLATE_GROWTH
rollcall|mutant LATE_FREES|fail|$still -DLATES=1 -DLATE_FREES
rollcall|mutant LATE_REFUSED|fail|$calm -DSETTLE -DSLOW -DLATE_REFUSED
rollcall|mutant NO_PROCESS|fail|-DNO_PROCESS
rollcall|mutant NO_ROLL_CALL|fail|-DNO_ROLL_CALL
rollcall|mutant EARLY_END|fail|-DEARLY_END
rollcall|mutant SHORT_HOLD|fail|-DHOLD=1
rollcall|mutant HOLD_WITHOUT_CONTACT|fail|-DFAIR -DHOLD_WITHOUT_CONTACT
rollcall|mutant ROLL_CALL_LOOSE|fail|-DROLL_CALL_LOOSE
rollcall|mutant FIRM_FOREVER|fail|-DFIRM_FOREVER
rollcall|mutant OPEN_AS_GRANTED|fail|$calm -DOPEN_AS_GRANTED
rollcall|mutant ROOM_BY_OPEN|fail|$calm -DROOM_BY_OPEN
rollcall|mutant CREDIT_IS_FIRM|fail|$calm -DCREDIT -DCREDIT_IS_FIRM
rollcall|mutant CREDIT_AGAIN|fail|$still -DCREDIT -DCREDIT_AGAIN
rollcall|witness: more are open than the limit|reach|-DWITNESS=1
rollcall|witness: an excess ends|reach|-DWITNESS=2
rollcall|witness: opened after a roll call|reach|-DWITNESS=3
rollcall|witness: a firm slot in a roll call|reach|-DWITNESS=4
rollcall|witness: a roll call ends by its answers|reach|-DWITNESS=5
rollcall|witness: a loose slot in a roll call|reach|-DWITNESS=6
END
    [ "${DEEP:-0}" = 1 ] || return 0
    cat <<END
leases|deep: three nodes, two declarations|pass|-DN=3 -DSENDS=2 -DEPOCHS=1 -DOTHER_SENDS=1 -DSETTLE -DLEMMA
leases|deep: without the join flag|pass|$usual -DNO_JOIN -DSETTLE
leases|deep: 3 declarations, limit 3|pass|$usual -DL=3 -DSETTLE -DLEMMA
rollcall|deep: a loss, cut off, credit|pass|-DCREDIT -DSETTLE
END
}

# check NUMBER MODEL NAME EXPECTED FLAGS: writes one line to $work/NUMBER.line, the first word of which is ok or BAD.
check() {
    local directory="$work/$1" result=none states seconds text
    mkdir "$directory" && cd "$directory" || return
    # shellcheck disable=SC2086 # the flags are words
    if spin $5 -a "$models/$2.pml" >spin.log 2>&1 &&
        gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$memory" -o pan pan.c >gcc.log 2>&1; then
        ./pan -m3000000 >pan.log 2>&1
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
    [ "$result" = fail ] && [ "$4" = reach ] && result=reach text=reached
    [ "$result" = pass ] && text="pass, exhaustive"
    printf '%s %-52s %12s states %7ss  %s (expected: %s)\n' \
        "$([ "$result" = "$4" ] && echo ok || echo BAD)" "$2: $3" "${states:-0}" "${seconds:-0}" "$text" "$4" \
        >"$work/$1.line"
    cat "$work/$1.line"
    rm -rf "$directory"
}

[ "${DEEP:-0}" = 1 ] && memory=8000 jobs=1
number=0
while IFS='|' read -r model name expected flags; do
    number=$((number + 1))
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    (check "$number" "$model" "$name" "$expected" "$flags") &
done < <(runs)
wait

good="$(cat "$work"/*.line 2>/dev/null | grep -c '^ok ')"
echo "model-check: $good of $number runs as expected"
[ "$good" -eq "$number" ] && [ "$number" -gt 0 ]

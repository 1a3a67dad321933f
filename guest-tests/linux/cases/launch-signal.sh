# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Signals reach the command: SIGTERM, SIGINT, "moat stop"; one that comes before it runs ends the guest.

# With job control: without, what runs in the background ignores SIGINT.
cat >kill-it.sh <<'END'
set -m
"$@" &
until grep -qsx ready "$OUT"; do sleep 0.2; done
kill -"$SIGNAL" $!
wait $!
END
cat >kill-boot.sh <<'END'
set -m
"$@" &
until grep -qs 'Linux version' boot.log; do sleep 0.1; done
kill -INT $!
wait $!
END
cat >stop-it.sh <<'END'
"$@" &
until grep -qsx ready "$OUT"; do sleep 0.2; done
"$MOAT" list
"$MOAT" stop box
wait $!
"$MOAT" list >after
END
script='trap "echo got it; exit 42" TERM INT; echo ready; while :; do sleep 0.1; done'
export OUT=console-1 SIGNAL=TERM
wrapper=(bash kill-it.sh)
launch -- sh -c "$script"
ended_with 42
out_is "ready
got it"
export OUT=console-2 SIGNAL=INT
launch -- sh -c "$script"
ended_with 42
out_is "ready
got it"
wrapper=("$GUEST_FILES/../left-behind.sh" bash kill-boot.sh)
mkdir work
launch --share work --junit report.xml --log boot.log -- sleep 1000
ended_with 130
moat_says '^moat: ended by signal 2$'
grep -q '<error type="moat" message="ended by signal 2"' report.xml || fail "the report does not tell of the signal"
nothing_was_left
export OUT=console-4 MOAT
wrapper=(bash stop-it.sh)
launch --name box -- sh -c "$script"
ended_with 0
grep -q '^box .* sh -c trap' "$console" || fail "'moat list' does not show the guest"
grep -qx 'got it' "$console" || fail "'moat stop' did not reach the command"
[ ! -s after ] || fail "'moat list' shows a guest that has ended"

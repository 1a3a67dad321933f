# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Signals reach the command: SIGTERM by kill(1), and by "moat stop".

cat >kill-it.sh <<'END'
"$@" &
until grep -qsx ready "$OUT"; do sleep 0.2; done
kill -"$SIGNAL" $!
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
export OUT=console-2 MOAT
wrapper=(bash stop-it.sh)
launch --name box -- sh -c "$script"
ended_with 0
grep -q '^box .* sh -c trap' "$console" || fail "'moat list' does not show the guest"
grep -qx 'got it' "$console" || fail "'moat stop' did not reach the command"
[ ! -s after ] || fail "'moat list' shows a guest that has ended"

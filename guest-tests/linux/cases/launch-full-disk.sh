# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Output, log and report on a full disk are missed aloud, with status 125, and the command learns of it.

cat >on-full-disk.sh <<'END'
mkdir -p small
mount -t tmpfs -o size=64k none small
[ "$OUT" = small/out ] || head -c 64k /dev/zero >small/fill
"$@" >"$OUT"
END
export OUT=small/out
wrapper=("$GUEST_FILES/../left-behind.sh" bash on-full-disk.sh)

# More than fits: who writes it is told, and killed like with any reader that has gone.
launch --junit report.xml -- sh -c 'yes; echo $? >&2; exit 0'
ended_with 125
moat_says "^moat: cannot write the command's output: No space left on device$"
grep -qE '^(141|1)$' "$errors" || fail "the command did not learn that its output is lost"
grep -q '<error type="moat" message="cannot write the command' report.xml || fail "the report does not tell of it"
nothing_was_left

# Its last bytes alone are lost, after its end; its own failure counts more.
launch -- sh -c 'head -c 100000 /dev/zero; exit 7'
ended_with 7
moat_says "^moat: cannot write the command's output: No space left on device$"

export OUT=console
launch --log small/log --junit small/report.xml -- sh -c 'echo fine'
ended_with 125
moat_says "^moat: --log 'small/log': cannot write: No space left on device$"
moat_says "^moat: --junit 'small/report.xml': cannot write: No space left on device$"
[ "$(cat console)" = fine ] || fail "the command's output has suffered"
nothing_was_left

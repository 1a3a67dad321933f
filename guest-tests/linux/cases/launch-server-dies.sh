# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A folder's server that dies and a folder that vanishes fail the command, hang nothing, leave nothing.

mkdir served vanishing flags
echo here >served/file
echo here >vanishing/file
cat >kill-server.sh <<'END'
left() {
	find "${TMPDIR:-/tmp}" "${XDG_RUNTIME_DIR:-/tmp}" -maxdepth 2 \
		'(' -name 'moat-??????' -o -name '*.sock' ')' 2>/dev/null | sort -u
}
left >before
"$@" &
until grep -qsx ready console-1; do sleep 0.2; done
rm -r vanishing
pkill -KILL -f "virtiofsd.*$PWD/served" || echo "there was no server" >&2
: >flags/go
wait $!
status=$?
for name in moat virtiofsd; do
	! pgrep -x "$name" >&2 || echo "left behind: $name" >&2
done
left | comm -13 before - | sed 's/^/left behind: /' >&2
exit $status
END
wrapper=(bash kill-server.sh)
# shellcheck disable=SC2016 # for the guest's shell
launch --rw vanishing --rw flags --share served --env "AT=$PWD" -- sh -c 'cat file; echo ready
	until [ -e $AT/flags/go ]; do sleep 0.2; done
	cat $AT/vanishing/file; echo $?
	cat $AT/served/file; echo $?; exit 5'
ended_with 5
out_is "here
ready
1
1"
moat_says "^moat: error: .*: the server of '$PWD/served' .*was killed by signal 9.*fails from now on$"
! grep -q '^left behind' "$errors" || fail "$(grep '^left behind' "$errors")"

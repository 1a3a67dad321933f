# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A folder that vanishes, before the start or while the guest runs, fails what needs it, hangs nothing, leaves nothing.

mkdir vanishing kept flags
echo here >vanishing/file
cat >vanish.sh <<'END'
if [ -e before ]; then
	mkdir gone && cd gone && rmdir ../gone
	exec "$@"
fi
"$@" &
until grep -qsx ready console-1; do sleep 0.2; done
rm -r vanishing
: >flags/go
wait $!
END
wrapper=("$GUEST_FILES/../left-behind.sh" bash vanish.sh)
# shellcheck disable=SC2016 # for the guest's shell
launch --rw flags --rw kept --share vanishing --env "AT=$PWD" -- sh -c 'cat file; echo ready
	until [ -e $AT/flags/go ]; do sleep 0.2; done
	cat file; echo $?
	echo new >other; echo $?
	cat $AT/vanishing/file; echo $?
	echo still >$AT/kept/file; exit 5'
ended_with 5
out_is "here
ready
1
1
1"
[ "$(cat kept/file)" = still ] || fail "the folder beside it is of no use any more"
nothing_was_left

: >before
root=/
launch -- true
ended_with 125
moat_says "^moat: the current folder: No such file or directory$"
nothing_was_left

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A folder's server and the network's that die fail the command, hang nothing, leave nothing.

mkdir served flags
echo here >served/file
cat >kill-servers.sh <<'END'
"$@" &
until grep -qsx ready console-1; do sleep 0.2; done
pkill -KILL -f "virtiofsd.*$PWD/served" || echo "there was no virtiofsd" >&2
pkill -KILL -x 'passt(.avx2)?' || echo "there was no passt" >&2
: >flags/go
wait $!
END
wrapper=("$GUEST_FILES/../left-behind.sh" "$GUEST_FILES/../host-net.sh" served/file bash kill-servers.sh)
# shellcheck disable=SC2016 # for the guest's shell
launch --rw flags --share served --net user --env "AT=$PWD" -- sh -c 'cat file; echo ready
	until [ -e $AT/flags/go ]; do sleep 0.2; done
	cat $AT/served/file; echo $?
	until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do sleep 0.2; done
	echo no carrier; exit 5'
ended_with 5
out_is "here
ready
1
no carrier"
moat_says "^moat: error: .*: the server of '$PWD/served' .*was killed by signal 9.*fails from now on$"
moat_says "^moat: error: net0: passt .*was killed by signal 9.*the guest's link is down from now on$"
nothing_was_left

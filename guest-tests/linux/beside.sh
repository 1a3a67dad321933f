#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# beside.sh FUNCTIONS COMMAND... - run COMMAND, a machine whose console is the
# file console-1, and do on its host what FUNCTIONS say.
#
# FUNCTIONS is a script with three: prepare() runs before the machine does,
# beside() while it runs, clean_up() at the end, whatever has happened.  Each
# ends at the first command that fails, and so does the machine.  "cannot WHY" in
# prepare() means that this host is not one for the case.
# shellcheck disable=SC2317 # they use what is here

set -euo pipefail
shopt -s inherit_errexit

cannot() {
	echo "$*" >&2
	exit 77
}

# running - does the machine?  For loops that wait for something.
running() {
	kill -0 "$machine" 2>/dev/null
}

# until_said LINE - wait for it; fails if the machine ends without
until_said() {
	until grep -qsx "#guest $1" console-1; do
		running || grep -qsx "#guest $1" console-1
		sleep 0.1
	done
}

# tell_guest WORD - which has a disk with id=flag for it: flag.img
tell_guest() {
	printf %s "$1" | dd of=flag.img bs=512 count=1 conv=sync,notrunc status=none
}

# moat's process, a child of timeout
moat_pid() {
	pgrep -P "$machine"
}

at_end() {
	local status=$?

	[ -z "$machine" ] || kill "$machine" 2>/dev/null || :
	clean_up
	exit "$status"
}

# shellcheck source=/dev/null
. "$1"
shift
machine=
trap at_end EXIT
prepare
"$@" &
machine=$!
beside
status=0
wait "$machine" || status=$?
machine=
exit "$status"

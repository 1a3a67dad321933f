#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# left-behind.sh COMMAND... - run COMMAND, then say on standard error what it
# has left behind: processes, sockets and folders of moat's and its servers'.

set -uo pipefail

# A folder of its own: what others do in /tmp meanwhile, unit tests perhaps, is
# none of this command's.
TMPDIR=$(mktemp -d)
export TMPDIR XDG_RUNTIME_DIR=$TMPDIR

files() {
	find "$TMPDIR" -mindepth 1 '(' -name 'moat-??????' -o -type s ')'
}

# What was told to end may take its time for it.
processes() {
	local name

	for name in moat virtiofsd 'passt(.avx2)?'; do
		for _ in {1..50}; do
			pgrep -x "$name" >/dev/null || break
			sleep 0.1
		done
		pgrep -x -l "$name"
	done
}

status=0
"$@" || status=$?
{
	processes
	files
} | sed 's/^/left behind: /' >&2
exit "$status"

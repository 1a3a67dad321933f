#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# left-behind.sh COMMAND... - run COMMAND, then say on standard error what it
# has left behind: processes, sockets and folders of moat's and its servers'.

set -uo pipefail

files() {
	find "${TMPDIR:-/tmp}" "${XDG_RUNTIME_DIR:-/tmp}" -maxdepth 2 \
		'(' -name 'moat-??????' -o -type s ')' 2>/dev/null | sort -u
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

before=$(files)
status=0
"$@" || status=$?
{
	processes
	files | comm -13 <(echo "$before") -
} | sed 's/^/left behind: /' >&2
exit "$status"

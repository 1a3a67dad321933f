# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A command that hangs and a kernel that does are told apart, status 124; without a timeout a kernel's hang is noticed, too.

# launch_until PATTERN SECONDS... - the first of these timeouts at which moat
# says PATTERN: a boot takes as long as the machine is slow
launch_until() {
	local pattern=$1 seconds=$2
	shift 2

	for ((; seconds <= 240; seconds *= 2)); do
		timeout=${seconds}s
		launch "$@"
		ended_with 124
		! grep -qE "$pattern" "$errors" || return 0
	done
	fail "moat does not say '$pattern'"
}

launch_until '^moat: timeout: the command has not ended after [0-9]+ s$' 20 -- sleep 1000
launch_until '^moat: guest: .*Waiting for root device' 20 --cmdline "rdinit=/none root=/dev/nowhere rootwait" -- true
moat_says '^moat: timeout after [0-9]+ s: the command was not started, the kernel had not come to its first process$'

# Its own limit is two minutes; here it is as long as the boot above took to come to that line.
export MOAT_TEST=boot=$timeout
launch --timeout none --cmdline "rdinit=/none root=/dev/nowhere rootwait" -- true
ended_with 125
moat_says '^moat: guest: .*Waiting for root device'
moat_says "^moat: the guest did not start: its kernel had not come to its first process after ${timeout%s} s$"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A triple fault is a crash: 255.

guest() {
	say "crashes now"
	reboot -f
	sleep 1000
}

cmdline='reboot=t'
run_moat
ended_with 255
[ "$(grep -cx 'crashes now' <<<"$said")" = 1 ] || fail "the guest did not run once"

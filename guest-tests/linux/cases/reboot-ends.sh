# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# With --no-reboot a reboot ends moat with 0.

guest() {
	say "reboots now"
	reboot -f
	sleep 1000
}

run_moat --no-reboot
ended_with 0
[ "$(grep -cx 'reboots now' <<<"$said")" = 1 ] || fail "the guest did not run once"
moat_says '^moat: the guest rebooted'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A panic of a guest without pvpanic is known from the console's text: 255.

guest() {
	say "panics now"
	echo c >/proc/sysrq-trigger
	sleep 1000
}

run_moat --pvpanic off
ended_with 255
grep -qx 'panics now' <<<"$said" || fail "the guest did not get there"
grep -q 'Kernel panic' "$console" || fail "the console does not show the panic"
moat_says "^moat: the guest's kernel panicked"

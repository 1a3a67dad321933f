# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A panic that only pvpanic tells: 255, without a word on the console.

guest() {
	say "panics now"
	echo c >/proc/sysrq-trigger
	sleep 1000
}

modules=(pvpanic-mmio)
cmdline='loglevel=0'	# then a panic is silent
run_moat
ended_with 255
grep -qx 'panics now' <<<"$said" || fail "the guest did not get there"
! grep -q 'Kernel panic' "$console" || fail "the console shows the panic, so this proves nothing"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A guest that feeds its watchdog lives; one that stops is restarted and told why, or ended as a crash.

guest() {
	dog=/sys/class/watchdog/watchdog0
	check "there is a watchdog" soon [ -c /dev/watchdog ]
	tell identity "$(cat $dog/identity)"
	say "booted with $(cat $dog/bootstatus)"
	[ "$(cat $dog/bootstatus)" = 0 ] || return 0	# restarted
	# fed for twice its time, then no more
	watchdog -T 6 -t 1 /dev/watchdog
	sleep 12
	say fed
	killall -STOP watchdog
	sleep 1000
}

# lived SAID - what the guest said of its life, in one line
lived() {
	[ "$(sed -n '/^booted\|^fed/p' <<<"$said" | paste -sd,)" = "$1" ] ||
		fail "the guest says '$(paste -sd, <<<"$said")' instead of '$1'"
}

modules+=(i6300esb)
run_moat --iommu on --watchdog stop
ended_with 255
told_is identity 'i6300ESB timer'
lived 'booted with 0,fed'
moat_says '^moat: error: the guest crashed: it stopped feeding its watchdog$'

# 0x20: WDIOF_CARDRESET.  The guest ends by itself then.
boot --no-reboot=off --watchdog reboot
lived 'booted with 0,fed,booted with 32'
moat_says '^moat: warn: the guest stopped feeding its watchdog and is restarted$'

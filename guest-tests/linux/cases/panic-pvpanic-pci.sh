# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# pvpanic as a PCI function, where there is no ACPI.

guest() {
	check "the PCI function is there" [ "$(cat /sys/bus/pci/devices/0000:00:04.0/device)" = 0x0011 ]
	say "panics now"
	echo c >/proc/sysrq-trigger
	sleep 1000
}

modules=(pvpanic-pci)
cmdline='loglevel=0'	# then a panic is silent
run_moat --describe none
ended_with 255
grep -qx 'panics now' <<<"$said" || fail "the guest did not get there"
! grep -q 'Kernel panic' "$console" || fail "the console shows the panic, so this proves nothing"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Without ACPI a guest that powers off halts instead, which ends the run, too.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	say passed
	poweroff -f
	sleep 1000
}

modules=()
boot --describe none
moat_says '^moat: the guest halted$'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Interrupts wander between four CPUs while I/O runs; none is lost.

guest() {
	disk=$(disk data) pci=$(pci_of "$(disk data)")
	: >/running
	{
		for _ in 1 2 3 4; do
			dd if="/dev/$disk" bs=64k iflag=direct 2>/dev/null | md5sum
		done >/sums
		rm /running
	} &
	moves=0
	while [ -e /running ]; do
		for irq in "/sys/bus/pci/devices/$pci/msi_irqs"/*; do
			echo $((moves % 4)) >"/proc/irq/${irq##*/}/smp_affinity_list" 2>/dev/null && moves=$((moves + 1))
		done
		sleep 0.02
	done
	wait
	tell moves "$moves"
	tell sums "$(sort -u /sums)"
	tell interrupts "$(interrupts_of "$pci")"
}

make_disk data 4M
boot --cpus 4 --disk path=data.img,id=data
told_is sums "$(md5sum <data.img)"
(($(told moves) > 20)) || fail "only $(told moves) moves"
(($(told interrupts) > 100)) || fail "only $(told interrupts) interrupts"

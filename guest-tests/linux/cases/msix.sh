# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Devices interrupt by MSI-X, each queue of each device by its own vector.

guest() {
	disk=$(disk data) pci=$(pci_of "$(disk data)")
	tell before "$(interrupts_of "$pci")"
	tell sum "$(sum "$disk")"
	tell after "$(interrupts_of "$pci")"
	tell vectors "$(count "/sys/bus/pci/devices/$pci/msi_irqs"/*)"
	tell mode "$(cat "/sys/bus/pci/devices/$pci/msi_irqs/"* | sort -u)"
}

make_disk data
boot --disk path=data.img,id=data
told_is sum "$(sum_of data)"
told_is mode msix
(($(told vectors) >= 2)) || fail "the disk has $(told vectors) vectors"
(($(told after) > $(told before))) || fail "reading the disk gave no interrupt"

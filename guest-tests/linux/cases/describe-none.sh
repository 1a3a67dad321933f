# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No ACPI, no tables: PCI by its ports, MSI-X works.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	copy_disk data copy
}

# Nobody tells this guest how to power off, so it reboots.
modules=(virtio_blk)
make_disk data
make_blank_disk copy
boot --describe none --disk path=data.img,id=data --disk path=copy.img,id=copy
disk_was_copied data copy

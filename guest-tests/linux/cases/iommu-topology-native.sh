# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A stock driver does not mind the topology behind its configuration.

guest() {
	tell type "$(group_type "$(pci_of "$(disk data)")")"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --iommu on,topology=native --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
disk_was_copied data copy
iommu_was_used

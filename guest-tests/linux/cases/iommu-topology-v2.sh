# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A stock driver takes the topology's feature bit for another; all works.

guest() {
	tell type "$(group_type "$(pci_of "$(disk data)")")"
	copy_disk data copy
}

cmdline='iommu.passthrough=1'
make_disk data
make_blank_disk copy
boot --iommu on,topology=v2 --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type identity
disk_was_copied data copy

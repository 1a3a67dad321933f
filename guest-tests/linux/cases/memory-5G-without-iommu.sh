# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# 5 GiB of memory without the IOMMU: transfers go straight above 4 GiB.

guest() {
	tell above4g "$(probe above4g "/dev/$(disk data)" | sha256sum | cut -d' ' -f1)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --memory 5G --iommu off --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is above4g "$(sum_of data)"
disk_was_copied data copy

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# 5 GiB of memory: the disk's data goes to pages above 4 GiB.

guest() {
	tell memory "$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
	tell above4g "$(probe above4g "/dev/$(disk data)" | sha256sum | cut -d' ' -f1)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --memory 5G --disk path=data.img,id=data --disk path=copy.img,id=copy
memory=$(told memory)
((memory > 4700 && memory <= 5120)) || fail "the guest has $memory MiB"
told_is above4g "$(sum_of data)"
disk_was_copied data copy
iommu_was_used

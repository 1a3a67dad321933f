# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The guest is told of reserved ranges, those of all and of one device, and keeps out of them.

guest() {
	pci=$(pci_of "$(disk data)")
	tell disk "$(tr '\n' , <"$(group_of "$pci")/reserved_regions")"
	tell rng "$(tr '\n' , <"$(group_of 0000:00:03.0)/reserved_regions")"
	tell vsock "$(tr '\n' , <"$(group_of 0000:00:19.0)/reserved_regions")"
	tell sum "$(sum "$(disk data)")"
}

make_disk data
# where stock kernels would put their first buffers
boot --iommu on,reserved=0x10000000-0x1fffffff:reserved \
	--disk path=data.img,id=data,reserved=0xfff00000-0xffffffff:reserved \
	--vsock path=/tmp/vsock,reserved=0xffe00000-0xffefffff:reserved
all='0x0000000010000000 0x000000001fffffff reserved,0x00000000fee00000 0x00000000feefffff msi,'
told_is rng "$all"
told_is disk "${all}0x00000000fff00000 0x00000000ffffffff reserved,"
told_is vsock "${all}0x00000000ffe00000 0x00000000ffefffff reserved,"
told_is sum "$(sum_of data)"
iommu_was_used

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The disk's driver first, module and IOMMU's driver later: the disk is taken and given back attached.

guest() {
	# the first driver called it vda, and let it go
	! attached_first 0000:00:05.0 vda || fail "it was attached before it was used, so this proves nothing"
	check "the module says so" logged '0000:00:05.0: in use before its IOMMU has a driver'
	tell_firmware
	tell_iommu "$(disk data)"
	copy_disk data copy
}

# Only with bypass=on does it work before it is attached.
take_topology_module virtio_blk virtio_iommu_topology virtio-iommu
cell --describe none --iommu on,bypass=on
cell_shows DMA-FQ none

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: no tables, stock kernel, module, iommu.strict=1.

guest() {
	boot_evidence
}

cmdline='iommu.strict=1'
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe none --iommu on,bypass=on
cell_shows DMA none
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: no tables, stock kernel, module.

guest() {
	boot_evidence
}

take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe none --iommu on,bypass=on
cell_shows DMA-FQ none

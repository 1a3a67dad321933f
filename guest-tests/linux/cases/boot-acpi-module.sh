# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: ACPI without VIOT, stock kernel: its driver first, then the module.

guest() {
	boot_evidence
}

take_topology_module virtio-iommu virtio_iommu_topology virtio_blk
cell --viot off --iommu on,bypass=on
cell_shows DMA-FQ acpi

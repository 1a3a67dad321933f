# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: MPTable, generic kernel on two CPUs, module, no bypass from power-on.

guest() {
	boot_evidence
}

kernel_flavour=full
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe mptable --cpus 2 --iommu on,bypass=off
cell_shows DMA-FQ mptable 2

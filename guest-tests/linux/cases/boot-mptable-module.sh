# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: MPTable, Debian's generic kernel on four CPUs, module.

guest() {
	boot_evidence
}

kernel_flavour=full
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe mptable --cpus 4 --iommu on,bypass=on
cell_shows DMA-FQ mptable 4

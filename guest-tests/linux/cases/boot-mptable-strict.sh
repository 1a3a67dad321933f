# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: MPTable, generic kernel on two CPUs, module, iommu.strict=1.

guest() {
	boot_evidence
}

kernel_flavour=full
cmdline='iommu.strict=1'
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe mptable --cpus 2 --iommu on,bypass=on
cell_shows DMA mptable 2
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware, iommu.strict=1: every buffer is unmapped before the driver goes on.

guest() {
	boot_evidence
}

kernel_version=patched
cmdline='iommu.strict=1'
cell --describe none --iommu on
cell_shows DMA none
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A kernel without the IOMMU's driver, its virtio drivers modules, does too.

kernel_version=6.1
launch -- cat /proc/sys/kernel/ostype
ended_with 0
out_is Linux
moat_says '^moat: IOMMU off: no virtio-iommu driver found'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Debian's 6.1 kernel has no virtio-iommu driver: moat leaves the IOMMU off.

guest() {
	case $(uname -r) in
	6.1.*) ;;
	*) fail "this is $(uname -r)" ;;
	esac
	copy_disk data copy
}

kernel_version=6.1
modules=(virtio_pci virtio_blk)
make_disk data
make_blank_disk copy
boot --disk path=data.img,id=data --disk path=copy.img,id=copy
moat_says '^moat: IOMMU off: no virtio-iommu driver'
iommu_was_off
disk_was_copied data copy

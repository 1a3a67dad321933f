# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# virtio-console is the console; it stays outside the IOMMU.

guest() {
	tell console "$(cat /sys/class/tty/console/active)"
	tell group "$(group_type 0000:00:02.0)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --iommu on --console virtio --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is console hvc0
told_is group none
disk_was_copied data copy
iommu_was_used

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The kernel is a bzImage.

guest() {
	copy_disk data copy
}

kernel_file=vmlinuz
make_disk data
make_blank_disk copy
boot --disk path=data.img,id=data --disk path=copy.img,id=copy
disk_was_copied data copy

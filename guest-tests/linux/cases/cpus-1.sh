# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# One CPU.

guest() {
	tell cpus "$(nproc)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --cpus 1 --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is cpus 1
disk_was_copied data copy

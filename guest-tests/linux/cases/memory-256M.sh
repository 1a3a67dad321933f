# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# 256 MiB of memory.

guest() {
	tell memory "$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --memory 256M --disk path=data.img,id=data --disk path=copy.img,id=copy
memory=$(told memory)
((memory > 180 && memory <= 256)) || fail "the guest has $memory MiB"
disk_was_copied data copy

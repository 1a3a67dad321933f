# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Four CPUs, each of which reads the disk.

guest() {
	tell cpus "$(nproc)"
	disk=$(disk data)
	for cpu in 0 1 2 3; do
		echo 3 >/proc/sys/vm/drop_caches
		tell "sum-$cpu" "$(taskset -c "$cpu" sha256sum <"/dev/$disk" | cut -d' ' -f1)"
	done
	copy_disk data copy
}

make_disk data 2M
make_blank_disk copy 2M
boot --cpus 4 --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is cpus 4
for cpu in 0 1 2 3; do
	told_is "sum-$cpu" "$(sum_of data)"
done
disk_was_copied data copy
iommu_was_used

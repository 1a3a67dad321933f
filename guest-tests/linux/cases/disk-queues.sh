# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A queue for each CPU, a thread for each queue, past the page cache.

guest() {
	disk=$(disk data)
	set -- "/sys/block/$disk/mq/"*
	tell queues $#
	for cpu in 0 1 2; do
		tell "sum-$cpu" "$(taskset -c "$cpu" sh -c "echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/$disk" | cut -d' ' -f1)"
	done
	copy_disk data copy
}

# Not every file system of a nested host has direct I/O; its memory has.
cat >around <<'END'
cp data.img copy.img /tmp/
"$@"
status=$?
cp /tmp/copy.img copy.img
rm -f /tmp/data.img /tmp/copy.img
exit $status
END
wrapper=(sh around)
make_disk data 2M
make_blank_disk copy 2M
boot --cpus 3 --iommu on --disk path=/tmp/data.img,id=data,loop=own,direct=on \
	--disk path=/tmp/copy.img,id=copy,loop=own,direct=on,queues=2
told_is queues 3
for cpu in 0 1 2; do
	told_is "sum-$cpu" "$(sum_of data)"
done
disk_was_copied data copy
iommu_was_used

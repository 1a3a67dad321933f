# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Discard and write-zeroes: the guest reads zeroes, the file gets smaller.

guest() {
	disk=$(disk data)
	blkdiscard -o 1048576 -l 2097152 "/dev/$disk"
	probe zeroes "/dev/$disk" 5242880 1048576
	tell sum "$(sum "$disk")"
}

# Not every file system of a nested host can punch holes; its memory can.
cat >around <<'END'
cp data.img /tmp/data.img
"$@"
status=$?
stat -c %b /tmp/data.img >blocks
cp /tmp/data.img data.img
rm -f /tmp/data.img
exit $status
END
wrapper=(sh around)

make_disk data 8M
cp data.img expected.img
dd if=/dev/zero of=expected.img bs=1M seek=1 count=2 conv=notrunc status=none
dd if=/dev/zero of=expected.img bs=1M seek=5 count=1 conv=notrunc status=none
boot --iommu on --disk path=/tmp/data.img,id=data
told_is sum "$(sum_of expected)"
cmp -s data.img expected.img || fail "the file does not have what the guest sees"
(($(cat blocks) <= 6 * 2048)) || fail "the file still takes $(cat blocks) of 16384 blocks"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The host makes an image shorter: EIO behind its end, until it has its length again. It replaces one: nothing.

guest() {
	short=$(disk short) replaced=$(disk replaced)
	dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
	for disk in $short $replaced; do
		dd if=/tmp/data of="/dev/$disk" bs=1M conv=fsync 2>/dev/null
	done
	say flushed
	until_host_said changed

	echo 3 >/proc/sys/vm/drop_caches
	check "what the image still has can be read" cmp -n 1048576 /tmp/data "/dev/$short"
	check "a read behind its end fails" fails if="/dev/$short" of=/dev/null bs=4k skip=512 count=1 iflag=direct
	check "a read across its end fails" fails if="/dev/$short" of=/dev/null bs=64k skip=16 count=1 iflag=direct
	check "the one that was replaced is what it was" cmp -n 4194304 /tmp/data "/dev/$replaced"
	dd if=/tmp/data of="/dev/$replaced" bs=1M skip=3 count=1 conv=fsync 2>/dev/null
	errors_were_meant "$short"
	say seen
	until_host_said mended

	check "it can be read again" cmp -n 1048576 /tmp/data "/dev/$short"
	dd if="/dev/$short" of=/tmp/rest bs=1M skip=2 2>/dev/null
	check "what it lost are zeroes" cmp -n 2097152 /dev/zero /tmp/rest
	dd if=/tmp/data of="/dev/$short" bs=1M seek=2 skip=2 count=1 conv=fsync 2>/dev/null
	tell sum-short "$(sum "$short")"
	tell sum-kept "$(sum "$replaced")"
}

prepare() { :; }

# The first is cut in the middle of a page, and of a sector.
beside() {
	until_said flushed
	truncate -s $(((1 << 20) + 700)) short.img
	ln replaced.img kept.img
	mv new.img replaced.img
	tell_guest changed
	until_said seen
	truncate -s 4M short.img
	tell_guest mended
}

clean_up() { :; }

run_beside
make_blank_disk flag
make_blank_disk short 4M
make_blank_disk replaced 4M
make_disk new 4M
new=$(sum_of new)
boot --iommu on --disk path=short.img,id=short --disk path=replaced.img,id=replaced --disk path=flag.img,id=flag
told_is sum-short "$(sum_of short)"
told_is sum-kept "$(sum_of kept)"
[ "$(sum_of replaced)" = "$new" ] || fail "the file that has the name now was written"
iommu_was_used

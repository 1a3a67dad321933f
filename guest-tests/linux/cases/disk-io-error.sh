# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The host's disk has a bad place, and has it no more: EIO there and nowhere else, as a read, a write or a flush.

guest() {
	# around DEVICE - what is before and behind the bad place
	around() {
		dd if="$1" bs=64k count=64 2>/dev/null
		dd if="$1" bs=64k skip=65 2>/dev/null
	}

	direct=$(disk direct) cached=$(disk cached)
	check "the disk has an IOMMU group" managed "$(pci_of "$direct")"
	dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
	for disk in $direct $cached; do
		dd if=/tmp/data of="/dev/$disk" bs=1M conv=fsync 2>/dev/null
	done
	say flushed
	until_host_said bad

	echo 3 >/proc/sys/vm/drop_caches
	check "a read fails" fails if="/dev/$direct" of=/dev/null bs=4k skip=1030 count=1 iflag=direct
	check "a write fails" fails if=/dev/zero of="/dev/$direct" bs=4k seek=1030 count=1 oflag=direct
	check "a read across the edge fails" fails if="/dev/$direct" of=/dev/null bs=1M skip=3 count=2 iflag=direct
	check "a flush fails if the host only then finds out" \
		fails if=/dev/zero of="/dev/$cached" bs=4k seek=1030 count=1 conv=fsync
	for disk in $direct $cached; do
		around "/dev/$disk" >/tmp/around
		check "all else can be read" [ "$(sha256sum </tmp/around)" = "$(around /tmp/data | sha256sum)" ]
		dd if=/tmp/data of="/dev/$disk" bs=64k count=64 conv=fsync 2>/dev/null
	done
	errors_were_meant "$direct" "$cached"
	say seen
	until_host_said mended

	for disk in $direct $cached; do
		dd if=/tmp/data of="/dev/$disk" bs=64k skip=64 seek=64 count=1 conv=fsync 2>/dev/null
		check "it has all bytes again" [ "$(sum "$disk")" = "$(sha256sum </tmp/data | cut -d' ' -f1)" ]
	done
	tell sum "$(sum "$direct")"
}

prepare() {
	command -v dmsetup losetup >/dev/null || cannot "there is no 'dmsetup' or 'losetup'"
	for disk in direct cached; do
		truncate -s 8M "/tmp/$disk"
		dmsetup create "moat-$disk" --table \
			"0 16384 linear $(losetup -f --show "/tmp/$disk") 0" || cannot "there is no device mapper"
	done
}

# 64 KiB in the middle
beside() {
	# replace DISK TYPE - of what the middle is
	replace() {
		local loop middle=error

		loop=$(losetup -n -O NAME -j "/tmp/$1")
		[ "$2" = error ] || middle="linear $loop 8192"
		printf '%s\n' "0 8192 linear $loop 0" "8192 128 $middle" "8320 8064 linear $loop 8320" |
			dmsetup reload "moat-$1"
		dmsetup suspend --noflush "moat-$1"
		dmsetup resume "moat-$1"
	}

	until_said flushed
	replace direct error
	replace cached error
	tell_guest bad
	until_said seen
	replace direct linear
	replace cached linear
	tell_guest mended
}

clean_up() {
	for disk in direct cached; do
		for _ in {1..50}; do
			! dmsetup remove "moat-$disk" || break
			sleep 0.1
		done
		cp "/tmp/$disk" "$disk.img"
		losetup -d "$(losetup -n -O NAME -j "/tmp/$disk")"
		rm "/tmp/$disk"
	done
}

export DM_DISABLE_UDEV=1	# dmsetup makes the nodes itself
run_beside
make_blank_disk flag
boot --iommu on --disk path=/dev/mapper/moat-direct,id=direct,direct=on \
	--disk path=/dev/mapper/moat-cached,id=cached --disk path=flag.img,id=flag
told_is sum "$(sum_of direct)"
told_is sum "$(sum_of cached)"
iommu_was_used

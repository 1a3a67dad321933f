# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The host's file system is full under a raw and a qcow2 disk: EIO, nothing else is lost, and room ends it.

guest() {
	dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
	raw=$(disk raw) qcow2=$(disk qcow2)
	for disk in $raw $qcow2; do
		dd if=/tmp/data of="/dev/$disk" bs=64k conv=fsync 2>/dev/null
		n=16
		while ! fails if=/tmp/data of="/dev/$disk" bs=64k seek=$n count=1 oflag=direct; do
			n=$((n + 1))
			check "the disk gets full" [ "$n" -lt 128 ]
		done
		check "there was some room" [ "$n" -gt 24 ]
		check "what is there can be read" cmp -n 1048576 /tmp/data "/dev/$disk"
		dd if=/tmp/data of="/dev/$disk" bs=64k count=16 oflag=direct conv=fsync 2>/dev/null
	done
	errors_were_meant "$raw" "$qcow2"
	say full
	until_host_said room

	for disk in $raw $qcow2; do
		for at in 16 32 48 64 80 96 112; do
			dd if=/tmp/data of="/dev/$disk" bs=64k seek=$at conv=fsync 2>/dev/null
		done
	done
	tell sum-raw "$(sum "$raw")"
	tell sum-qcow2 "$(sum "$qcow2")"
}

prepare() {
	for disk in raw qcow2; do
		mkdir $disk
		mount -t tmpfs -o size=6M small $disk || cannot "no file system can be mounted"
	done
	truncate -s 8M raw/disk
	qemu-img create -q -f qcow2 qcow2/disk 8M
}

beside() {
	until_said full
	mount -o remount,size=64M raw
	mount -o remount,size=64M qcow2
	tell_guest room
}

clean_up() {
	cp raw/disk raw.img
	cp qcow2/disk qcow2.qcow2
	umount raw qcow2
}

command -v qemu-img qemu-storage-daemon >/dev/null || skip "there is no 'qemu-img' or 'qemu-storage-daemon'"
run_beside
make_blank_disk flag
boot --iommu on --disk path=raw/disk,id=raw --disk path=qcow2/disk,id=qcow2,format=qcow2 \
	--disk path=flag.img,id=flag
qemu-img check -q qcow2.qcow2 || fail "the image is damaged"
qemu-img convert -f qcow2 -O raw qcow2.qcow2 qcow2.img
told_is sum-raw "$(sum_of raw)"
told_is sum-qcow2 "$(sum_of qcow2)"
iommu_was_used

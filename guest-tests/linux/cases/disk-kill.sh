# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# moat is killed (kill -9) under load: what was flushed is on the raw disk, the qcow2 image, the file system.

guest() {
	raw=$(disk raw) qcow2=$(disk qcow2)
	mkdir -p /mnt/files
	mount -t ext4 "/dev/$(disk files)" /mnt/files
	for disk in $raw $qcow2; do
		while :; do
			dd if=/dev/zero of="/dev/$disk" bs=64k seek=64 count=32 2>/dev/null
		done &
	done
	while :; do
		dd if=/dev/zero of=/mnt/files/load bs=64k count=32 2>/dev/null
	done &
	for n in $(seq 0 999); do
		for to in "/dev/$raw" "/dev/$qcow2"; do
			printf 'block %d\n' "$n" |
				dd of="$to" bs=4k seek="$n" conv=sync,fsync,notrunc 2>/dev/null
		done
		printf 'file %d\n' "$n" | dd of="/mnt/files/$n" conv=fsync 2>/dev/null
		sync /mnt/files	# the name
		say "flushed $n"
	done
	sleep 1000
}

prepare() { :; }

beside() {
	until_said 'flushed 2[0-9]'
	kill -KILL "$(moat_pid)"
}

# The daemon ends with moat, and with it its lock.
clean_up() {
	for _ in {1..50}; do
		pgrep -x qemu-storage-daemon || return 0
		sleep 0.1
	done >/dev/null
	echo "the daemon is still there" >&2
	exit 1
}

PATH=$PATH:/sbin:/usr/sbin
command -v qemu-img qemu-storage-daemon mke2fs >/dev/null || skip "there is no 'qemu-img', 'qemu-storage-daemon' or 'mke2fs'"
run_beside
make_blank_disk raw 8M
qemu-img create -q -f qcow2 disk.qcow2 8M
make_blank_disk files 16M
mke2fs -q -t ext4 files.img
run_moat --cpus 2 --iommu on --disk path=raw.img,id=raw --disk path=disk.qcow2,id=qcow2,format=qcow2 \
	--disk path=files.img,id=files
ended_with 137
last=$(sed -n 's/^flushed //p' <<<"$said" | tail -n 1)
((last >= 20)) || fail "only $last blocks were flushed"

qemu-img check -q disk.qcow2 || (($? == 3)) || fail "the qcow2 image is damaged"	# 3: it takes more room than it needs
qemu-img convert -f qcow2 -O raw disk.qcow2 qcow2.img
for disk in raw qcow2; do
	for ((n = 0; n <= last; n++)); do
		block=$(dd if=$disk.img bs=4k skip="$n" count=1 status=none | tr -d '\0')
		[ "$block" = "block $n" ] || fail "block $n of $last of the $disk disk is '${block:0:20}'"
	done
done
e2fsck -p files.img >fsck.log 2>&1 || (($? == 1)) || fail "the file system is damaged: $(tail -n 1 fsck.log)"
e2fsck -fn files.img >fsck.log 2>&1 || fail "the file system is damaged: $(tail -n 1 fsck.log)"
for ((n = 0; n <= last; n++)); do
	file=$(debugfs -R "cat /$n" files.img 2>/dev/null)
	[ "$file" = "file $n" ] || fail "file $n of $last is '${file:0:20}'"
done

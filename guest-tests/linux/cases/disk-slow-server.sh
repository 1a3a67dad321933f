# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk's server stands still: its requests wait, the only processor and other disks do not, and the machine ends.

guest() {
	# waits N - do N requests or more of the slow disk wait in the host?
	waits() { [ "$(awk '{ print $1 + $2 }' "/sys/block/$slow/inflight")" -ge "$1" ]; }

	slow=$(disk slow) quick=$(disk quick)
	check "the disk has an IOMMU group" managed "$(pci_of "$slow")"
	say ready
	until_host_said still

	dd if="/dev/$slow" of=/tmp/read bs=512k count=1 iflag=direct 2>/dev/null &
	reader=$!
	dd if="/dev/$quick" of="/dev/$slow" bs=512k count=1 seek=1 iflag=direct oflag=direct 2>/dev/null &
	writer=$!
	check "both wait" soon waits 2
	begin=$(cut -d. -f1 /proc/uptime)
	for n in $(seq 40); do
		dd if="/dev/$quick" of=/dev/null bs=4k skip="$n" count=1 iflag=direct 2>/dev/null
		sleep 0.1
	done
	took=$(($(cut -d. -f1 /proc/uptime) - begin))
	check "the processor did not wait: $took s" [ "$took" -lt 20 ]
	check "both still wait" waits 2
	say waited
	wait "$reader"
	wait "$writer"
	tell read "$(sha256sum </tmp/read | cut -d' ' -f1)"
	say done
	until_host_said gone

	dd if="/dev/$slow" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
	check "it waits" soon waits 1
}

prepare() {
	qemu-storage-daemon --blockdev driver=file,node-name=file,filename=slow.img \
		--export type=vhost-user-blk,id=e,node-name=file,addr.type=unix,addr.path=/tmp/slow,writable=on \
		--pidfile /tmp/slow.pid &
	until [ -S /tmp/slow ] && [ -e /tmp/slow.pid ]; do sleep 0.1; done
}

beside() {
	until_said ready
	kill -STOP "$(cat /tmp/slow.pid)"
	tell_guest still
	until_said waited
	kill -CONT "$(cat /tmp/slow.pid)"
	until_said 'done'
	kill -STOP "$(cat /tmp/slow.pid)"
	tell_guest gone
}

clean_up() {
	kill -KILL "$(cat /tmp/slow.pid)"
	rm -f /tmp/slow /tmp/slow.pid
}

command -v qemu-storage-daemon >/dev/null || skip "there is no 'qemu-storage-daemon'"
run_beside
make_blank_disk flag
make_disk slow
make_disk quick
before=$(head -c 512K slow.img | sha256sum | cut -d' ' -f1)
boot --iommu on --disk vhost-user=/tmp/slow,id=slow --disk path=quick.img,id=quick --disk path=flag.img,id=flag
told_is read "$before"
cmp -s <(head -c 512K quick.img) <(tail -c 512K slow.img) || fail "what was written while the server stood still is not there"
iommu_was_used

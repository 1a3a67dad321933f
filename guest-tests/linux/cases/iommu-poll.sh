# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Requests to the IOMMU are polled: a disk behind it is read page by page while a
# thread takes the ring and gives it back.  (Whether it serves any depends on how
# close they come: an emulated guest is too slow for its 0.1 ms.)  On a host with
# one processor, as a nested one is unless MOAT_KVM_HOST_CPUS says otherwise, moat
# says that it does not poll.

guest() {
	disk=$(disk data)
	check "the disk has an IOMMU group" managed "$(pci_of "$disk")"
	echo 0 >"/sys/block/$disk/queue/read_ahead_kb"
	tell sum "$(sum "$disk")"
	sleep 1 # the host counts
}

# iommu_stat NAME - what `moat stats` said last of the IOMMU
iommu_stat() {
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" stats
}

cat >around <<END
(
	until [ -e ended ]; do
		! "$MOAT" stats /tmp/poll --json 2>stats.errors | grep virtio-iommu >stats.new || mv stats.new stats
		sleep 0.3
	done
) &
host=\$!
"\$@"
status=\$?
: >ended
wait \$host
exit \$status
END
wrapper=(sh around)
cmdline='iommu.strict=1'
make_disk data
boot --iommu on,requests=poll --control /tmp/poll --disk path=data.img,id=data,queues=1
told_is sum "$(sum_of data)"
iommu_was_used
[ -e stats ] || fail "moat told nothing of the IOMMU: $(tail -n 1 stats.errors)"
(($(iommu_stat requests) >= 512)) || fail "the guest sent only $(iommu_stat requests) requests"
if grep -q 'requests=poll: there is one processor' "$errors"; then
	[ -z "$(iommu_stat polled)" ] || fail "there is one processor, and a thread polls"
else
	(($(iommu_stat turns) > 0)) || fail "the thread has not had the ring: $(cat stats)"
fi

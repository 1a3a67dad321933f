# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk's server is killed (kill -9) under a reader and comes back three times: the guest sees nothing of it.

guest() {
	# Has the host done its part?
	over() { [ "$(dd if="/dev/$flag" bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\0')" = over ]; }

	disk=$(disk data) flag=$(disk flag) round=0
	check "the disk has an IOMMU group" managed "$(pci_of "$disk")"
	while [ "$round" -lt 1 ] || ! over; do
		sum "$disk" >/tmp/sum
		[ ! -e /tmp/first ] || cmp -s /tmp/sum /tmp/first || fail "round $round has other bytes"
		cp /tmp/sum /tmp/first
		round=$((round + 1))
		say "read $round"
	done
	tell sum "$(cat /tmp/first)"
}

command -v qemu-storage-daemon >/dev/null || skip "there is no 'qemu-storage-daemon'"
cat >around <<'END'
socket=/tmp/disk.$$
serve() {
	qemu-storage-daemon --blockdev driver=file,node-name=file,filename=data.img \
		--export "type=vhost-user-blk,id=e,node-name=file,addr.type=unix,addr.path=$socket,writable=on,num-queues=2" &
	server=$!
}
rounds() { grep -cs '^#guest read' console-1; }
serve
until [ -S "$socket" ]; do sleep 0.1; done
"${@//SOCKET/$socket}" &
moat=$!
until [ "$(rounds)" -ge 1 ] || ! kill -0 $moat; do sleep 0.1; done
for _ in 1 2 3; do
	before=$(rounds)
	kill -KILL $server
	wait $server
	sleep 1
	serve
	until [ "$(rounds)" -gt $((before + 1)) ] || ! kill -0 $moat; do sleep 0.1; done
done 2>/dev/null
printf over | dd of=flag.img conv=notrunc status=none
wait $moat
status=$?
kill $server
rm -f "$socket"
exit $status
END
wrapper=(bash around)
make_disk data 4M
make_blank_disk flag
boot --cpus 2 --iommu on --disk vhost-user=SOCKET,id=data --disk path=flag.img,id=flag
told_is sum "$(sum_of data)"
for said in 'hung up; waiting for it' 'is back'; do
	count=$(grep -c "^moat: warn: blk0: the server at .* $said$" "$errors" || :)
	[ "$count" = 3 ] || fail "moat says '$said' $count times instead of 3"
done
iommu_was_used

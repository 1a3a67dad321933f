# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A tap whose frames the host's kernel moves (vhost=on), without the IOMMU and behind it, with two queues: HTTP and iperf3 both ways; a host without it.

make_stream data "${MOAT_NET_SIZE:-8M}"
export HOST_REPEATS=$stream_repeats
root=/
# While the guest waits: what moat has counted.
cat >look.sh <<'END'
"$@" &
until [ -e ready ] || ! kill -0 $!; do sleep 0.2; done
"$MOAT" stats vhost --json >stats
touch looked
wait $!
END
wrapper=("$GUEST_FILES/../host-net.sh" data.img bash look.sh)

# count KEY - of the network card
count() {
	grep '"device":"net0"' stats | grep -o "\"$1\":[0-9]*" | grep -o '[0-9]*$' || fail "moat stats has no $1 of net0"
}

# transfer IOMMU - both ways, and the host's kernel has done it
transfer() {
	rm -f ready looked stats data.img.back
	launch -v --name vhost --cpus 2 --rw . --iommu "$1" \
		--net tap=moat0,vhost=on,queues=2,address=192.168.77.2/24,gateway=192.168.77.1 -- \
		env "NET_IOMMU=$1" bash "$GUEST_FILES/net.sh" 192.168.77.1 "$PWD/data.img" "$stream_repeats" \
		"touch '$PWD/ready'; until [ -e '$PWD/looked' ]; do sleep 0.1; done; ls -d /sys/class/net/eth0/queues/rx-1"
	ended_with 0
	out_is "$stream_sum
1500
/sys/class/net/eth0/queues/rx-1"
	[ "$(cat data.img.back)" = "$stream_bytes $stream_sum" ] ||
		fail "IOMMU $1: what the guest sent is not what arrived: $(cat data.img.back)"
	[ "$(count vhost_queues)" = 4 ] || fail "IOMMU $1: the kernel has $(count vhost_queues) queues"
	# Commands on the control queue alone.
	(($(count requests) < 100 && $(count read) < 10000)) || fail "IOMMU $1: moat moved $(count requests) requests"
	[ "$(count vhost_interrupts)" = 4 ] || fail "IOMMU $1: $(count vhost_interrupts) queues interrupt the guest without moat"
	(($(count interrupts) < 100)) || fail "IOMMU $1: moat raised $(count interrupts) interrupts"
	moat_says '^moat: net0: frames are moved by vhost-net, and not counted; link up$'
}

transfer off
transfer on
iommu_was_used
(($(count iotlb_misses) > 0 && $(count iotlb_invalidations) > 0)) || fail "the kernel asked for no translation"

# A host without it: one sentence, or as ever.
cat >without.sh <<'END'
mkdir -p /tmp/dev
mount --bind /dev /tmp/dev
mount -t tmpfs dev /dev
for name in kvm net null zero random urandom fuse; do ln -s "/tmp/dev/$name" "/dev/$name"; done
"$@"
END
wrapper=(unshare -nm bash without.sh)
launch --net tap=moat1,vhost=on -- true
ended_with 125
moat_says "tap 'moat1': vhost=on: there is no '/dev/vhost-net' \('modprobe vhost_net' makes it\)$"
launch -v --net tap=moat1,vhost=auto -- ls -d /sys/class/net/eth0
ended_with 0
moat_says "net0: vhost=auto: moat moves the frames itself: there is no '/dev/vhost-net'"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A card whose rings dpdk's vhost port reads itself, with the guest's memory: behind the IOMMU by translations that it asks
# for and forgets, and without one. Its echo answers, also after the driver has begun anew, which takes the rings back; it is killed, and the guest goes on.

command -v dpdk-testpmd >/dev/null || skip "there is no 'dpdk-testpmd' (Debian's dpdk-dev)"
cat >around.sh <<'END_AROUND'
socket=/tmp/net.$$
dpdk-testpmd --no-huge -m 128 --no-pci --no-telemetry --lcores 0@0,1@0 --file-prefix "memory$$" \
	--vdev "net_vhost0,iface=$socket,iommu-support=1" -- --no-mlockall --forward-mode=icmpecho --auto-start --total-num-mbufs=2048 \
	< <(exec sleep 1000) >server.log 2>&1 &
server=$!
until [ -S "$socket" ] || ! kill -0 $server; do sleep 0.1; done
"${@//SOCKET/$socket}" &
moat=$!
until [ -e answered ] || ! kill -0 $moat; do sleep 0.2; done
kill -KILL $server
wait $moat
status=$?
rm -f "$socket"
exit $status
END_AROUND
wrapper=(bash around.sh)
root=/
for iommu in on off; do
	rm -f answered
	launch -v --rw . --iommu $iommu --net vhost-user=SOCKET,memory=guest,address=192.168.77.2/24 -- sh -c "cd '$PWD'
		# dpdk drops a frame for whose buffer it has to ask.
		ask() { until busybox ping -c 1 -W 1 -s \$1 192.168.77.1 | grep -o '1 packets received'; do :; done; }
		ask 56
		for device in /sys/bus/virtio/drivers/virtio_net/virtio*; do
			echo \${device##*/} >/sys/bus/virtio/drivers/virtio_net/unbind
			echo \${device##*/} >/sys/bus/virtio/drivers/virtio_net/bind
		done
		ip addr add 192.168.77.2/24 dev eth0
		ip link set eth0 up
		ask 1400
		touch answered
		until [ \"\$(cat /sys/class/net/eth0/carrier)\" = 0 ]; do sleep 0.1; done
		echo down"
	ended_with 0
	out_is "$(printf '1 packets received\n%.0s' 1 2)
down"
	moat_says "^moat: error: net0: the server at '/tmp/net.[0-9]*' hung up; the guest's link is down from now on$"
	moat_says "^moat: net0: frames are moved by the server at '/tmp/net.[0-9]*', and not counted; link down$"
	[ $iommu = off ] || iommu_was_used
done

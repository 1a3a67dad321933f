# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A tap: HTTP and iperf3 on the host, both ways; offloads, two queues.

make_disk data "${MOAT_NET_SIZE:-8M}"
root=/
wrapper=("$GUEST_FILES/../host-net.sh" data.img)
launch -v --cpus 2 --rw . --net tap=moat0,queues=2,address=192.168.77.2/24,gateway=192.168.77.1 -- bash -c '
	set -e
	cd '"$PWD"'
	busybox wget -q -O - http://192.168.77.1:8000/data | sha256sum | cut -d" " -f1
	cat data.img >/dev/tcp/192.168.77.1/8001
	iperf3 -c 192.168.77.1 -n 4M >/dev/null
	iperf3 -c 192.168.77.1 -n 4M -R >/dev/null
	ls -d /sys/class/net/eth0/device/../iommu_group >/dev/null
	ls -d /sys/class/net/eth0/queues/rx-1
	cat /sys/class/net/eth0/mtu'
ended_with 0
out_is "$(sum_of data)
/sys/class/net/eth0/queues/rx-1
1500"
cmp data.img data.img.back || fail "what the guest sent is not what arrived"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# User networking: HTTP and iperf3 on the host, both ways, and a port into the guest.

make_disk data "${MOAT_NET_SIZE:-8M}"
export HOST_FETCHES=http://127.0.0.1:8080/hello
root=/
wrapper=("$GUEST_FILES/../host-net.sh" data.img)
launch -v --rw . --net user,hostfwd=tcp:8080:80 -- bash -c '
	set -e
	cd '"$PWD"'
	cat /etc/resolv.conf
	busybox wget -q -O - http://10.0.2.2:8000/data | sha256sum | cut -d" " -f1
	cat data.img >/dev/tcp/10.0.2.2/8001
	iperf3 -c 10.0.2.2 -n 4M >/dev/null
	iperf3 -c 10.0.2.2 -n 4M -R >/dev/null
	echo from-the-guest >/tmp/hello
	busybox httpd -p 80 -h /tmp
	until [ -s data.img.fetched ]; do sleep 0.2; done
	cat data.img.fetched
	ls -d /sys/class/net/eth0/device/../iommu_group >/dev/null
	cat /sys/class/net/eth0/mtu'
ended_with 0
out_is "nameserver 10.0.2.3
$(sum_of data)
from-the-guest
65520"
for _ in {1..50}; do
	[ ! -e data.img.back ] || break
	sleep 0.1
done
cmp data.img data.img.back || fail "what the guest sent is not what arrived"

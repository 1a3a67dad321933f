# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A card that dpdk's vhost port has, behind the IOMMU: its echo answers; it is killed and another one comes, and answers too.

command -v dpdk-testpmd >/dev/null || skip "there is no 'dpdk-testpmd' (Debian's dpdk-dev)"
cat >around.sh <<'END_AROUND'
socket=/tmp/net.$$
serve() {
	rm -f "$socket"
	dpdk-testpmd --no-huge -m 128 --no-pci --no-telemetry --lcores 0@0,1@0 --file-prefix "$1" \
		--vdev "net_vhost0,iface=$socket" -- --forward-mode=icmpecho --auto-start --total-num-mbufs=2048 \
		< <(exec sleep 1000) >"$1.log" 2>&1 &
	server=$!
	until [ -S "$socket" ] || ! kill -0 $server; do sleep 0.1; done
}
serve first
"${@//SOCKET/$socket}" &
moat=$!
until [ -e answered ] || ! kill -0 $moat; do sleep 0.2; done
kill -KILL $server
wait $server
until [ -e down ] || ! kill -0 $moat; do sleep 0.2; done
serve second
wait $moat
status=$?
kill $server 2>/dev/null
rm -f "$socket"
exit $status
END_AROUND
rm -f answered down
wrapper=(bash around.sh)
root=/
launch -v --rw . --iommu on --net vhost-user=SOCKET,address=192.168.77.2/24 -- sh -c "cd '$PWD'
	carrier() { until [ \"\$(cat /sys/class/net/eth0/carrier)\" = \$1 ]; do sleep 0.1; done; }
	ask() { busybox ping -c 3 -W 30 192.168.77.1 | grep -o '3 packets received'; }
	ask
	touch answered
	carrier 0
	touch down
	carrier 1
	ask"
ended_with 0
out_is "3 packets received
3 packets received"
moat_says "^moat: error: net0: the server at '/tmp/net.[0-9]*' hung up; the guest's link is down until it is there again$"
moat_says "^moat: warn: net0: the server at '/tmp/net.[0-9]*' is there again; the guest's link is up$"
moat_says '^moat: net0: [0-9]+ frames in, .* 0 dropped; link up$'
iommu_was_used

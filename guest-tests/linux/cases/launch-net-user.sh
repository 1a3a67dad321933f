# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# User networking: HTTP and iperf3 on the host, both ways, and a port into the guest.

make_stream data "${MOAT_NET_SIZE:-8M}"
export HOST_FETCHES=http://127.0.0.1:8080/hello HOST_REPEATS=$stream_repeats
root=/
wrapper=("$GUEST_FILES/../host-net.sh" data.img)
launch -v --rw . --net user,loop=own,hostfwd=tcp:8080:80 -- bash "$GUEST_FILES/net.sh" 10.0.2.2 "$PWD/data.img" "$stream_repeats" '
	cat /etc/resolv.conf
	echo from-the-guest >/tmp/hello
	busybox httpd -p 80 -h /tmp
	until [ -s '"$PWD"'/data.img.fetched ]; do sleep 0.2; done
	cat '"$PWD"'/data.img.fetched'
ended_with 0
out_is "$stream_sum
65520
nameserver 10.0.2.3
from-the-guest"
[ "$(cat data.img.back)" = "$stream_bytes $stream_sum" ] || fail "what the guest sent is not what arrived: $(cat data.img.back)"

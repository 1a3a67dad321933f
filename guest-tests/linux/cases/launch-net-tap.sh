# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A tap: HTTP and iperf3 on the host, both ways; offloads, two queues, a thread of
# its own.

make_stream data "${MOAT_NET_SIZE:-8M}"
export HOST_REPEATS=$stream_repeats
root=/
cat >look.sh <<'END'
(until grep -qsx net0 /proc/[0-9]*/task/*/comm; do sleep 0.3; done; touch thread) &
looker=$!
status=0
"$@" || status=$?
kill $looker 2>/dev/null
exit $status
END
wrapper=(sh look.sh "$GUEST_FILES/../host-net.sh" data.img)
launch -v --cpus 2 --rw . --net tap=moat0,queues=2,loop=own,address=192.168.77.2/24,gateway=192.168.77.1 -- \
	bash "$GUEST_FILES/net.sh" 192.168.77.1 "$PWD/data.img" "$stream_repeats" 'ls -d /sys/class/net/eth0/queues/rx-1'
ended_with 0
out_is "$stream_sum
1500
/sys/class/net/eth0/queues/rx-1"
[ -e thread ] || fail "the card has no thread of its own"
[ "$(cat data.img.back)" = "$stream_bytes $stream_sum" ] || fail "what the guest sent is not what arrived: $(cat data.img.back)"

# A name server for the guest leaves that of a folder that is shared as it is.
cat >etc.sh <<'END'
before=$(ls -l /etc/resolv.conf; cat /etc/resolv.conf)
"$@" || exit
[ "$before" = "$(ls -l /etc/resolv.conf; cat /etc/resolv.conf)" ] || exit 99
END
wrapper=(unshare -n bash etc.sh)
launch --rw /etc --net tap=moat1,address=192.168.78.2/24,dns=192.168.78.9 -- cat /etc/resolv.conf
ended_with 0
out_is "nameserver 192.168.78.9"

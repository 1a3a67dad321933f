# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Ten thousand vsock connections at once each way, twice, and nothing of them is left in moat; --long.

guest() {
	check "there is a vsock device" soon [ -e /dev/vsock ]
	n=$(cat /proc/cmdline)
	n=${n##* n=}
	for round in 1 2; do
		until_host_said "go $round"
		talk storm vsock:2:52 "$n" "$n"
		say "sent $round"
		talk echo vsock:4294967295:77 "$n"	# a program of the host dials
		say "served $round"
	done
	until_host_said over
}

prepare() {
	"$GUEST_TALK" echo unix:/tmp/v_52 &
	server=$!
}

beside() {
	# stat NAME - of the vsock device
	stat() {
		"$MOAT" stats /tmp/v.control --json >stats
		sed -n "/vsock/s/.*\"$1\":\\([0-9]*\\).*/\\1/p" stats
	}

	# used - files, and KiB that are not the guest's memory
	used() {
		local pid

		until [ "$(stat connections)" = 0 ]; do
			running
			sleep 0.1
		done
		pid=$(moat_pid)
		echo "$(find "/proc/$pid/fd" | wc -l) $(awk '
			/^[0-9a-f]+-[0-9a-f]+ / { guest = 0 }
			/^Size:/ { guest = $2 >= 65536 }
			/^Rss:/ && !guest { kib += $2 }
			END { print kib }' "/proc/$pid/smaps")"
	}

	until [ -S /tmp/v ] && "$MOAT" stats /tmp/v.control >/dev/null 2>&1; do
		running
		sleep 0.1
	done
	for round in 1 2; do
		tell_guest "go $round"
		until_said "sent $round"
		until "$GUEST_TALK" storm unix:/tmp/v "$CONNECTIONS" "$CONNECTIONS" 'CONNECT 77' 2>client.errors; do
			running
			sleep 0.3
		done
		until_said "served $round"
		used
	done >leftover
	stat opened >opened
	tell_guest over
}

clean_up() {
	kill "$server"
	rm -f /tmp/v_52
}

export CONNECTIONS=${MOAT_CONNECTIONS:-10000}
modules+=(vmw_vsock_virtio_transport)
extra=("$GUEST_TALK:/bin/talk")
cmdline="n=$CONNECTIONS"
timeout=3600s
run_beside
make_blank_disk flag
boot --iommu on --vsock /tmp/v --control /tmp/v.control --disk path=flag.img,id=flag
iommu_was_used
# The first round makes what all later ones use.
{
	read -r files_1 kib_1
	read -r files_2 kib_2
} <leftover
[ "$files_1" = "$files_2" ] || fail "moat had $files_1 files open after the first round and $files_2 after the second"
((kib_2 < kib_1 + 512)) || fail "moat took $kib_1 KiB after the first round and $kib_2 after the second"
[ "$(cat opened)" = $((4 * CONNECTIONS)) ] || fail "moat counted $(cat opened) connections"

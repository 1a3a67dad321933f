# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A tap is deleted under a transfer, of moat's and of the host's kernel: the guest's link goes down, moat says so, and the command ends as it wants.

make_disk data
cat >delete-tap.sh <<'END'
"$@" &
until grep -qsx ready "$CONSOLE"; do sleep 0.2; done
ip link del moat0
wait $!
END
wrapper=("$GUEST_FILES/../left-behind.sh" "$GUEST_FILES/../host-net.sh" data.img bash delete-tap.sh)
# gone VHOST - traffic both ways all the time; it ends with the guest
gone() {
	export CONSOLE=console-$((boots + 1))
	# shellcheck disable=SC2016 # for the guest's shell
	launch --iommu on --net "tap=moat0,vhost=$1,address=192.168.77.2/24,gateway=192.168.77.1" -- sh -c '
		at=192.168.77.1
		while :; do wget -q -O /dev/null http://$at:8000/data; done 2>/dev/null &
		while :; do head -c 1M /dev/zero | nc $at 8001; done >/dev/null 2>&1 &
		until wget -q -O /tmp/data http://$at:8000/data; do sleep 0.2; done 2>/dev/null
		md5sum </tmp/data | cut -d" " -f1
		echo ready
		until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do sleep 0.2; done
		wget -q -T 2 -O /dev/null http://$at:8000/data || echo unreachable
		dd if=/dev/zero bs=1M count=1 2>/dev/null | md5sum | cut -d" " -f1
		exit 5'
	ended_with 5
	out_is "$(md5sum <data.img | cut -d' ' -f1)
ready
unreachable
$(head -c 1M /dev/zero | md5sum | cut -d' ' -f1)"
	moat_says "^moat: error: net0: tap 'moat0' .*the guest's link is down from now on$"
	nothing_was_left
}

gone off
gone on

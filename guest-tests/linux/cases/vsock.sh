# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Sockets between guest and host carry megabytes both ways, behind the IOMMU, by a
# thread of their own.

guest() {
	check "there is a vsock device" soon [ -e /dev/vsock ]
	tell group "$(group_type 0000:00:19.0)"
	dd if=/dev/urandom of=/data bs=1M count=8 2>/dev/null
	talk copy vsock:2:52 </data >/back
	check "the host's echo is what was sent" cmp -s /data /back
	if talk copy vsock:2:99 </dev/null 2>/refused; then
		fail "a port without a server was reached"
	fi
	check "it was refused, not lost" grep -q reset /refused
	talk storm vsock:2:52 400 100
	talk echo vsock:4294967295:77 1	# the host's program talks to it
}

modules+=(vmw_vsock_virtio_transport)
extra=("$GUEST_TALK:/bin/talk")
make_disk host 8M
cat >around <<END
"$GUEST_TALK" echo unix:/tmp/v_52 &
server=\$!
(until "$GUEST_TALK" copy unix:/tmp/v "CONNECT 77" <host.img >back.img 2>client.errors; do sleep 0.3; done) &
client=\$!
(until grep -qsx vsock /proc/[0-9]*/task/*/comm; do sleep 0.3; done; touch thread) &
looker=\$!
"\$@"
status=\$?
kill \$server \$client \$looker 2>/dev/null
[ ! -e /tmp/v ] || touch left
rm -f /tmp/v_52
exit \$status
END
wrapper=(sh around)
boot --iommu on --vsock /tmp/v,cid=7,loop=own
told_is group DMA-FQ
cmp -s host.img back.img || fail "the guest's echo is not what the host sent"
[ -e thread ] || fail "there was no thread of that name"
[ ! -e left ] || fail "the socket is still there"
iommu_was_used

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Ten thousand vsock connections are opened and closed, 500 at once; --long.

guest() {
	check "there is a vsock device" soon [ -e /dev/vsock ]
	talk storm vsock:2:52 10000 500
}

modules+=(vmw_vsock_virtio_transport)
extra=("$GUEST_TALK:/bin/talk")
cat >around <<END
"$GUEST_TALK" echo unix:/tmp/v_52 &
server=\$!
"\$@"
status=\$?
kill \$server
rm -f /tmp/v_52
exit \$status
END
wrapper=(sh around)
boot --iommu on --vsock /tmp/v
iommu_was_used

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Memory goes into the balloon and comes out again, as the host says, beside an IOMMU.

guest() {
	# Has the kernel counted so many pages?
	counted() { [ "$(sed -n "s/^$1 //p" /proc/vmstat)" -ge "$2" ]; }

	check "there is a balloon" soon [ -e /sys/bus/virtio/drivers/virtio_balloon/bind ]
	check "64 MiB went in" soon counted balloon_inflate 16384
	check "they came out" soon counted balloon_deflate 16384
}

modules+=(virtio_balloon)
cat >around <<END
balloon_has() { "$MOAT" stats /tmp/balloon --json 2>stats.errors | grep virtio-balloon >stats && grep -q "\"actual_bytes\":\$1[,}]" stats; }
(
	until "$MOAT" balloon /tmp/balloon 64M 2>balloon.errors; do sleep 0.3; done
	until balloon_has 67108864 && ! grep -q '"guest_total_bytes":0[,}]' stats; do sleep 0.3; done
	cp stats full
	"$MOAT" balloon /tmp/balloon 0
) &
host=\$!
"\$@"
status=\$?
kill \$host 2>/dev/null
exit \$status
END
wrapper=(sh around)
boot --iommu on --balloon on --control /tmp/balloon
[ -e full ] || fail "the host did not see the balloon full"
inflated=$(sed -n 's/.*"inflated_bytes":\([0-9]*\).*/\1/p' full)
((inflated >= 67108864)) || fail "only $inflated bytes went back to the host: $(cat full)"

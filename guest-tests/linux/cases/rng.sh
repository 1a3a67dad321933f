# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The entropy device gives bytes, behind the IOMMU.

guest() {
	check "there is an entropy device" grep -q virtio_rng /sys/class/misc/hw_random/rng_available
	echo virtio_rng.0 >/sys/class/misc/hw_random/rng_current
	tell group "$(group_type 0000:00:03.0)"
	dd if=/dev/hwrng bs=4096 count=16 iflag=fullblock 2>/dev/null >/bytes
	tell size "$(stat -c %s /bytes)"
	tell packed "$(gzip -c /bytes | wc -c)"
}

modules=(virtio-iommu virtio-rng)
boot --iommu on
told_is group DMA-FQ
told_is size 65536
(($(told packed) > 65000)) || fail "the bytes are not random: gzip makes $(told packed) of 65536"
iommu_was_used

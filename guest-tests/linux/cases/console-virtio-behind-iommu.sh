# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# virtio-console behind the IOMMU: it works once that driver is loaded.

guest() {
	tell console "$(cat /sys/class/tty/console/active)"
	tell group "$(group_type 0000:00:02.0)"
	seq 2000
}

boot --iommu on,console=on --console virtio
told_is console hvc0
told_is group DMA-FQ
tr -d '\r' <"$console" | grep -xE '[0-9]+' | cmp -s - <(seq 2000) || fail "text was lost on the way"
iommu_was_used

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# An MPTable and four CPUs: a patched kernel, each CPU reads the protected disk.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	tell cpus "$(nproc)"
	disk=$(disk data)
	for cpu in 0 1 2 3; do
		echo 3 >/proc/sys/vm/drop_caches
		tell "sum-$cpu" "$(taskset -c "$cpu" sha256sum <"/dev/$disk" | cut -d' ' -f1)"
	done
	tell_iommu "$disk"
}

kernel_version=patched
make_disk data 2M
boot --describe mptable --cpus 4 --iommu on --disk path=data.img,id=data
told_is cpus 4
told_is type DMA-FQ
for cpu in 0 1 2 3; do
	told_is "sum-$cpu" "$(sum_of data)"
done
iommu_was_used

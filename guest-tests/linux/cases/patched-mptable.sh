# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# An MPTable and four CPUs: a patched kernel, each CPU reads the protected disk.

guest() {
	for cpu in 0 1 2 3; do
		echo 3 >/proc/sys/vm/drop_caches
		tell "sum-$cpu" "$(taskset -c "$cpu" sha256sum <"/dev/$(disk data)" | cut -d' ' -f1)"
	done
	boot_evidence
}

kernel_version=patched
cell --describe mptable --cpus 4 --iommu on
cell_shows DMA-FQ mptable 4
for cpu in 0 1 2 3; do
	told_is "sum-$cpu" "$(sum_of data)"
done

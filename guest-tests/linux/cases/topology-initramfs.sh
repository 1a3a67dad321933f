# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# An initramfs with modprobe and the soft dependencies: whichever module is asked for first.

guest() {
	first=$(sed -n 's/.*\bfirst=\([^ ]*\).*/\1/p' /proc/cmdline)
	/sbin/modprobe "$first"
	/sbin/modprobe virtio_blk
	boot_evidence
}

# take_modprobe - put kmod's modprobe into the guest, with its libraries
take_modprobe() {
	local lib

	extra+=("$(command -v modprobe || echo /sbin/modprobe):/sbin/modprobe")
	while read -r lib; do
		extra+=("$lib:$lib")
	done < <(ldd /bin/kmod | grep -o '/[^ ]*')
}

# take_module_tree - /lib/modules for modprobe, as depmod makes it
take_module_tree() {
	local kernel_dir release file

	kernel_dir=$("$TOOLS/fetch-kernel" --cached) || skip "Debian's kernel 6.12 cannot be fetched"
	release=$(basename "$kernel_dir"/lib/modules/*)
	mkdir -p "tree/lib/modules/$release"
	cp "$kernel_dir/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} virtio_iommu_topology.ko \
		"$kernel_dir/lib/modules/$release"/kernel/drivers/{iommu/virtio-iommu,block/virtio_blk}.ko* \
		"tree/lib/modules/$release"
	PATH=$PATH:/sbin depmod -b tree "$release"
	for file in "tree/lib/modules/$release"/*; do
		extra+=("$file:${file#tree}")
	done
}

take_topology_module
take_modprobe
take_module_tree
modules=() extra+=("$GUEST_FILES/../topology-module/virtio_iommu_topology.conf:/etc/modprobe.d/topology.conf")
for first in virtio_blk virtio_iommu virtio_iommu_topology; do
	cmdline=first=$first
	cell --describe none --iommu on
	cell_shows DMA-FQ none
done

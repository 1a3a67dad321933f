# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# v2's feature bit is not BYPASS_CONFIG to a patched kernel: identity by mappings.

guest() {
	vdev=$(echo /sys/bus/pci/devices/0000:00:01.0/virtio*)
	tell bit-6 "$(cut -c 7 "$vdev/features")"
	tell_iommu "$(disk data)"
	copy_disk data copy
}

kernel_version=patched
cmdline='iommu.passthrough=1'
make_disk data
make_blank_disk copy
for form in v2 native; do
	boot --describe none --iommu on,topology=$form --disk path=data.img,id=data --disk path=copy.img,id=copy
	told_is type identity
	disk_was_copied data copy
	maps=$(iommu_count maps)
	case $form in
	v2)
		told_is bit-6 0
		((maps > 0)) || fail "there are no mappings"
		;;
	native)
		told_is bit-6 1
		((maps == 0)) || fail "there are $maps mappings in a bypass domain"
		;;
	esac
done

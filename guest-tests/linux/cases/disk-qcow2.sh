# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A qcow2 image is read and written behind the IOMMU; a raw one that looks like qcow2 stays raw.

guest() {
	check "the disk has an IOMMU group" managed "$(pci_of "$(disk data)")"
	copy_disk data copy
	check "the read-only image has the same bytes" \
		[ "$(sum "$(disk readonly)")" = "$(sum "$(disk data)")" ]
	if printf x 2>/dev/null | dd of="/dev/$(disk readonly)" bs=512 conv=sync 2>/dev/null; then
		fail "the read-only image was written"
	fi
	tell raw "$(sum "$(disk raw)")"
}

for program in qemu-img qemu-storage-daemon; do
	command -v "$program" >/dev/null || skip "there is no '$program'"
done
# the test's own: not random enough for qcow2 to leave anything out
make_disk data 3M
truncate -s 5M data.img
qemu-img convert -f raw -O qcow2 data.img data.qcow2
cp data.qcow2 readonly.qcow2
cp data.qcow2 raw.img
truncate -s %512 raw.img
qemu-img create -q -f qcow2 copy.qcow2 5M
boot --cpus 2 --iommu on --disk path=data.qcow2,id=data,format=qcow2 \
	--disk path=copy.qcow2,id=copy,format=qcow2,iommu=off \
	--disk path=readonly.qcow2,id=readonly,format=qcow2,ro=on \
	--disk path=raw.img,id=raw,ro=on
qemu-img check -q data.qcow2 || fail "the image that was read is damaged"
qemu-img check -q copy.qcow2 || fail "the image that was written is damaged"
qemu-img convert -f qcow2 -O raw copy.qcow2 copy.img
disk_was_copied data copy
told_is raw "$(sum_of raw)"
moat_says "^moat: warn: disk 'raw.img' starts like a qcow2 image, .* format=qcow2 "
[ "$(grep -c 'starts like' "$errors")" = 1 ] || fail "moat warns of more than the raw image"
iommu_was_used

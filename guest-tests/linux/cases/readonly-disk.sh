# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk with ro=on cannot be written.

guest() {
	disk=$(disk data)
	tell ro "$(blockdev --getro "/dev/$disk")"
	if dd if=/dev/zero of="/dev/$disk" bs=4096 count=1 conv=fsync 2>/dev/null; then
		fail "it can be written"
	fi
	tell sum "$(sum "$disk")"
}

make_disk data
chmod 444 data.img
before=$(sum_of data)
boot --disk path=data.img,id=data,ro=on
told_is ro 1
told_is sum "$before"
[ "$(sum_of data)" = "$before" ] || fail "the file has changed"

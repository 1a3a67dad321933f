# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# --rng off: no entropy device, and other devices keep their places.

guest() {
	check "there is no entropy device" [ ! -e /sys/bus/pci/devices/0000:00:03.0 ]
	tell disk "$(pci_of "$(disk data)")"
	tell sum "$(sum "$(disk data)")"
}

make_disk data
boot --rng off --disk path=data.img,id=data
told_is disk 0000:00:05.0
told_is sum "$(sum_of data)"

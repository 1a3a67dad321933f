# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Wrong topologies are refused by a patched kernel with their reasons; it goes on.

guest() {
	check "the reason is in the log" logged "0000:00:01.0: topology refused: $(cat /reason) ("
	check "the driver is bound" [ -e /sys/class/iommu/0000:00:01.0 ]
	check "it has no endpoints" [ "$(count /sys/class/iommu/0000:00:01.0/devices/*)" = 0 ]
	tell sum "$(sum "$(disk data)")"
}

# refused KIND REASON [FORM] - and the disk outside the IOMMU works
refused() {
	echo "$2" >reason
	wrapper=(env "MOAT_TEST=topology=$1")
	boot --describe none --iommu "on,topology=${3:-v2}" --fs share,tag=share --disk path=data.img,id=data,iommu=off
	moat_says 'wrong on purpose'
	told_is sum "$(sum_of data)"
}

kernel_version=patched
extra=(reason:/reason)
make_disk data 64K
mkdir share
# one of each: the place, the descriptor, an item, two items
refused structure-outside "the structure is not in its BAR"
refused items-many "there are more items than can fit"
refused item-self "the IOMMU is its own endpoint" native
refused id-twice "two items have an endpoint id in common"
[ "${every-}" ] || return 0
refused structure-short "the structure is too short for it" native
refused structure-short "the items end outside the structure" v2
refused offset-early "items begin inside the fixed fields"
refused offset-odd "items are not 8-aligned"
refused offset-outside "the items end outside the structure"
refused length-small "item_length is less than 12"
refused length-odd "item_length is no multiple of 4"
refused length-huge "the items end outside the structure"
refused items-outside "the items end outside the structure" native
refused item-cut "an item is longer than item_length"
refused item-reverse "a range ends before it begins"
refused item-wraps "the ids of a range pass 2^32"
refused place-twice "two items describe one device"

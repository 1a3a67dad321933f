# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Wrong topologies are refused, each with its reason, and the guest goes on.

guest() {
	tell refused "$(dmesg | sed -n 's/.*topology refused: \(.*\) (items.*/\1/p')"
	tell drivers "$(count /sys/class/iommu/*)"
	tell endpoints "$(count /sys/class/iommu/*/devices/*)"
	tell sum "$(sum "$(disk data)")"
}

# refused KIND DRIVERS REASON [OPTION] - does the IOMMU have a driver then?
refused() {
	wrapper=(env "MOAT_TEST=topology=$1")
	boot --describe none --iommu "on${4-}" --fs share,tag=share --disk path=data.img,id=data,iommu=off
	moat_says "wrong on purpose: $1"
	told_is refused "$3"
	told_is drivers "$2"
	told_is endpoints 0
	told_is sum "$(sum_of data)"
}

# A kind for each place in the description: bare guests have them all. Endpoints
# are rng and share, whose drivers are not loaded: they would wait for ever.
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
make_disk data
mkdir share
refused item-self 1 'the IOMMU is its own endpoint'
refused id-twice 1 'two items have an endpoint id in common'
refused items-many 1 'there are more items than can fit'
refused structure-short 1 'the structure is too short for it' ,topology=native
# The virtio core does not take such a function, and so nobody reads it.
refused structure-outside 0 ''

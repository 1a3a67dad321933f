# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Wrong topologies are refused, each with its reason, and the guest goes on.

guest() {
	tell refused "$(dmesg | sed -n 's/.*topology refused: \(.*\) (items.*/\1/p')"
	tell drivers "$(count /sys/class/iommu/*)"
	tell endpoints "$(count /sys/class/iommu/*/devices/*)"
	tell sum "$(sum "$(disk data)")"
}

# refused KIND REASON [OPTION] - the IOMMU has its driver, and no endpoints
refused() {
	wrapper=(env "MOAT_TEST=topology=$1")
	boot --describe none --iommu "on${3-}" --fs share,tag=share --disk path=data.img,id=data,iommu=off
	moat_says "wrong on purpose: $1"
	told_is refused "$2"
	told_is drivers 1
	told_is endpoints 0
	told_is sum "$(sum_of data)"
}

# A kind for each place in the description: bare guests have them all. Endpoints
# are rng and share, whose drivers are not loaded: they would wait for ever.
take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
make_disk data
mkdir share
refused item-self 'the IOMMU is its own endpoint'
refused id-twice 'two items have an endpoint id in common'
refused items-many 'there are more items than can fit'
refused structure-short 'the structure is too short for it' ,topology=native
refused structure-outside 'the structure is not in its BAR'

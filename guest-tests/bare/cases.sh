# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# cases.sh - the cases of run: case_ NAME GUEST STATUS SAYS OPTION...
# shellcheck disable=SC2154 # $disk is set there

bare=(--describe none --iommu on)
native=(--describe none --iommu 'on,topology=native')
ratified=(--describe none --iommu 'on,topology=none')
with_disk=(--disk "path=$disk,ro=on")
writable=(--disk "path=$disk_copy")

# What a machine without ACPI is.
case_ none-has-no-tables tables 0 '' --describe none --cmdline tables=none
case_ mptable-has-its-table tables 0 '' --describe mptable --cpus 4 --cmdline tables=mptable
case_ none-pci-both-ways pci_ways 0 '' "${bare[@]}" "${with_disk[@]}"
case_ mptable-pci-both-ways pci_ways 0 '' --describe mptable --iommu on "${with_disk[@]}"
case_ none-msix msix 0 '' --describe none "${with_disk[@]}"
case_ mptable-msix msix 0 '' --describe mptable --cpus 2 "${with_disk[@]}"
case_ acpi-msix msix 0 '' "${with_disk[@]}" --iommu off
case_ bar-moves bar_moves 0 '' --describe none "${with_disk[@]}"
case_ rude-driver rude 0 'needs reset' --describe none "${with_disk[@]}"

# How it ends.
case_ none-halts end 0 'the guest halted' --describe none --cmdline end=halt
case_ mptable-halts end 0 'the guest halted' --describe mptable --cpus 4 --cmdline end=halt
case_ none-resets-by-keyboard end 0 'the guest rebooted' --describe none --cmdline end=keyboard
case_ none-resets-by-port end 0 'the guest rebooted' --describe none --cmdline end=port
case_ none-crashes end 255 'triple fault' --describe none --cmdline end=fault

# Who reads the description.
for describe in none mptable; do
	case_ "$describe-early-probe" early_probe 0 '' --describe $describe --iommu on "${with_disk[@]}"
	case_ "$describe-polite-probe" polite_probe 0 '' --describe $describe --iommu on "${with_disk[@]}"
done
case_ native-polite-probe polite_probe 0 '' "${native[@]}" "${with_disk[@]}"
case_ native-early-probe early_probe 0 '' "${native[@]}" "${with_disk[@]}" --cmdline endpoint=none
case_ ratified-early-probe early_probe 0 '' "${ratified[@]}" "${with_disk[@]}" --cmdline endpoint=none
case_ acpi-early-probe early_probe 0 '' --iommu on,topology=v2 "${with_disk[@]}"

# What is described.
case_ one-endpoint endpoints 0 '' "${bare[@]}" "${with_disk[@]}"
case_ two-endpoints endpoints 0 '' "${bare[@]}" "${with_disk[@]}" "${with_disk[@]}" --cmdline endpoints=2
case_ no-endpoint endpoints 0 '' "${bare[@]}" --disk "path=$disk,ro=on,iommu=off" --cmdline endpoints=0
case_ no-endpoint-native endpoints 0 '' "${native[@]}" --cmdline endpoints=0
case_ rng-and-disk endpoints 0 '' "${bare[@]}" --rng on "${with_disk[@]}" --cmdline endpoints=2

export MOAT_TEST=ids=4000
case_ ids-are-computed endpoints 0 '' "${bare[@]}" --rng on "${with_disk[@]}" --cmdline 'endpoints=2 ids=4000'
unset MOAT_TEST

# What devices reach.
for form in v2 native; do
	case_ "translate-$form" translate 0 'IOMMU: ' --describe none --iommu on,topology=$form "${with_disk[@]}"
done
case_ translate-mmio mmio 0 '' "${bare[@]}" --disk "path=$disk,ro=on,transport=mmio"
case_ translate-mmio-second mmio 0 '' "${native[@]}" "${with_disk[@]}" --disk "path=$disk,ro=on,transport=mmio" \
	--disk "path=$disk,ro=on,transport=mmio"
case_ two-domains domains 0 '' "${bare[@]}" "${with_disk[@]}" "${with_disk[@]}"
case_ fault fault 0 'iommu: endpoint 40 may not write at 0x4e00' "${bare[@]}" "${writable[@]}"
case_ unmap unmap 0 '' "${bare[@]}" "${with_disk[@]}"
case_ unattached unattached 0 'endpoint 40 may not (read|write) at .*: not attached' "${bare[@]}" "${with_disk[@]}"

# The controls: without protection the same guest reads; a disk that no description tells of reads nothing, and moat
# counts and names what it tried.
case_ unattached-with-bypass unattached 0 '' --describe none --iommu on,bypass=on "${with_disk[@]}" \
	--cmdline reaches=all
export MOAT_TEST=hide=0
case_ hidden-disk unattached 0 'endpoint 40 may not (read|write) at .*: not attached' "${bare[@]}" "${with_disk[@]}" \
	--cmdline disk=hidden
case_ hidden-disk-is-counted unattached 0 ' [1-9][0-9]* faults' "${bare[@]}" "${with_disk[@]}" --cmdline disk=hidden

# Wrong descriptions: refused, each for its reason, and the guest goes on.
# refused KIND REASON [FORM]
refused() {
	export MOAT_TEST=topology=$1
	case_ "refused-$1${3+-$3}" refuse 0 'wrong on purpose' --describe none --iommu "on,topology=${3-v2}" --rng on \
		--disk "path=$disk,ro=on,iommu=off" --disk "path=$disk,ro=on" --cmdline "reason=${2// /-}"
}
for form in v2 native; do
	refused length-small 'item_length is less' $form
	refused length-odd 'item_length is no multiple' $form
	refused length-huge 'the items end outside' $form
	refused offset-early 'items begin inside' $form
	refused offset-odd 'items are not' $form
	refused offset-outside 'the items end outside' $form
	refused items-many 'there are more items' $form
	refused items-outside 'the items end outside' $form
done
refused item-cut 'an item is longer'
refused item-reverse 'a range ends before'
refused item-wraps 'the ids of a range'
refused item-self 'the IOMMU is its own'
refused place-twice 'two items describe'
refused id-twice 'two items have an endpoint'
refused structure-short 'the structure is too short' native
refused structure-short 'the items end outside'
refused structure-outside 'the structure is not in'
unset MOAT_TEST

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=dash
#
# functions.sh - what guest() of a case may use.  Runs in busybox's shell.
#
# Lines for the host start with "#guest " so that it finds them between
# whatever else is printed.

# say LINE - each on a line of its own, whatever the kernel printed before
say() {
	printf '\n#guest %s\n' "$*"
}

# tell KEY VALUE - something for the host to compare
tell() {
	say "told $1=$2"
}

# Stock Linux resets the IOMMU when it ends.  An invalidation that is owed until
# then, for 10 ms at most, is asked for of a dead queue and waited for for ever;
# patch 9 of ours mends that.  Nothing may be under way any more: no file that is
# written, no random bytes that the kernel fetches for itself, no sync by poweroff.
power_off() {
	sync
	case $(uname -r) in
	*-moat) ;;
	*)
		mount -o remount,ro / 2>/dev/null || true
		for dev in /sys/bus/virtio/drivers/virtio_rng/virtio*; do
			[ ! -e "$dev" ] || echo "${dev##*/}" >/sys/bus/virtio/drivers/virtio_rng/unbind
		done
		sleep 0.2
		;;
	esac
	if [ -d /sys/firmware/acpi ]; then
		poweroff -nf
	else	# nobody told the guest how to
		reboot -nf
	fi
	sleep 1000
}

# fail SENTENCE - ends the guest and the case
fail() {
	trap - EXIT
	say "failed: $*"
	dmesg | tail -n 40
	power_off
}

# finish - the verdict of a guest that came to its end
finish() {
	if bad=$(dmesg | grep -E 'BUG:|Oops|fault from EP|I/O error|blocked for more than'); then
		fail "the kernel complains: $(echo "$bad" | head -n 1)"
	fi
	say passed
	power_off
}

# check SENTENCE COMMAND... - what has to be true
check() {
	sentence=$1
	shift
	"$@" || fail "not true: $sentence"
}

# soon COMMAND... - true within 5 seconds
soon() {
	for _ in $(seq 50); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# logged TEXT - has the kernel said so?
logged() {
	dmesg | grep -qF "$1"
}

# count FILE... - how many of them exist
count() {
	n=0
	for file; do
		[ ! -e "$file" ] || n=$((n + 1))
	done
	echo $n
}

# host_said WORD - has the host written it on the disk with id=flag?
host_said() {
	[ "$(dd if="/dev/$(disk flag)" bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\0')" = "$1" ]
}

# until_host_said WORD - wait for it
until_host_said() {
	until host_said "$1"; do
		sleep 0.1
	done
}

# --- PCI ---------------------------------------------------------------------

# bars_of PCI - print where its BARs are, on one line
bars_of() {
	awk '$1 != "0x0000000000000000" { printf "%s ", $1 }' "/sys/bus/pci/devices/$1/resource"
}

# interrupts_of PCI - print how many MSI-X interrupts it has sent
interrupts_of() {
	awk -v name="PCI-MSIX-$1" '
		index($0, name) { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }
		END { print n + 0 }' /proc/interrupts
}

# --- disks -------------------------------------------------------------------

find_disk() {
	for found in /sys/block/vd*; do
		[ "$(cat "$found/serial" 2>/dev/null)" = "$1" ] && return
	done
	return 1
}

# disk NAME - print the name (vda) of the disk with id=NAME, when it is there
disk() {
	if ! soon find_disk "$1"; then
		fail "there is no disk '$1'" >/dev/console
	fi
	echo "${found##*/}"
}

# pci_of DISK - print its PCI address
pci_of() {
	function=$(readlink -f "/sys/block/$1/device/..")
	echo "${function##*/}"
}

# sum DISK - print the checksum of what is on it, not of what is cached
sum() {
	echo 3 >/proc/sys/vm/drop_caches
	sha256sum <"/dev/$1" | cut -d' ' -f1
}

# flushes DISK - print how many flush requests it has served
flushes() {
	awk '{ print $16 }' "/sys/block/$1/stat"
}

# fails DD-ARGUMENT... - does dd end with EIO?
fails() {
	! dd "$@" 2>/tmp/dd && grep -q 'Input/output error' /tmp/dd
}

# errors_were_meant DISK... - the kernel has told of I/O errors of each, and
# finish() shall not complain of them
errors_were_meant() {
	for name; do
		check "the kernel tells of the errors of $name" logged "I/O error, dev $name"
	done
	dmesg -c >/dev/null
}

# copy_disk FROM TO - read one, write and flush the other, read it again
copy_disk() {
	from=$(disk "$1") to=$(disk "$2")
	tell "sum-$1" "$(sum "$from")"
	before=$(flushes "$to")
	dd if="/dev/$from" of="/dev/$to" bs=1M conv=fsync 2>/dev/null
	check "fsync flushes the disk" [ "$(flushes "$to")" -gt "$before" ]
	tell "sum-$2" "$(sum "$to")"
}

# --- IOMMU -------------------------------------------------------------------

# managed PCI - is the function behind an IOMMU?
managed() {
	[ -e "/sys/bus/pci/devices/$1/iommu_group" ]
}

# group_of PCI - print the directory of its IOMMU group
group_of() {
	readlink -f "/sys/bus/pci/devices/$1/iommu_group"
}

# tell_iommu DISK - what the IOMMU is to the disk: its group's type, and which
# functions are its endpoints
tell_iommu() {
	pci=$(pci_of "$1")
	tell type "$(group_type "$pci")"
	tell endpoints "$(cd /sys/class/iommu/*/devices && echo ./* | sed 's|\./||g')"
	check "the disk is alone in its group" [ "$(ls "$(group_of "$pci")/devices")" = "$pci" ]
	check "the IOMMU itself is not managed" [ ! -e /sys/bus/pci/devices/0000:00:01.0/iommu_group ]
}

# log_line TEXT - the number of the first line of the kernel's log with it
log_line() {
	dmesg | grep -nF "$1" | head -n 1 | cut -d: -f1
}

# attached_first PCI DISK - was the function attached to the IOMMU before a
# driver made that disk of it?
attached_first() {
	attached=$(log_line " $1: Adding to iommu group")
	used=$(log_line ": [$2] ")
	[ "$attached" ] && [ "$used" ] && [ "$attached" -lt "$used" ]
}

# tell_firmware - what told the kernel of its machine
tell_firmware() {
	tell cpus "$(nproc)"
	if [ -e /sys/firmware/acpi/tables ]; then
		tell firmware acpi
	elif logged 'Intel MultiProcessor Specification'; then
		tell firmware mptable
	else
		tell firmware none
	fi
}

# boot_evidence - what a guest of the boot matrix has to show
boot_evidence() {
	tell_firmware
	tell_iommu "$(disk data)"
	for disk in data copy; do
		name=$(disk "$disk")
		check "no transfer of a disk went round the IOMMU" attached_first "$(pci_of "$name")" "$name"
	done
	copy_disk data copy
}

# group_type PCI - print DMA, DMA-FQ or identity; none without a group
group_type() {
	if managed "$1"; then
		cat "$(group_of "$1")/type"
	else
		echo none
	fi
}

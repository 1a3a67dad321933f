# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# host.sh - what a case may use on the host's side.
#
# Set before boot(): kernel_version, kernel_flavour, kernel_file, modules, order, extra, cmdline, input, wrapper.
# Set by boot(): status, and the files $console and $errors.

kernel_version=6.12	# or 6.1; patched, plain: those of tools/guest-kernel
kernel_flavour=cloud	# or full
kernel_file=vmlinuz	# a bzImage; vmlinux: the plain ELF
modules=(virtio-iommu virtio_blk)
order=()		# the files to load of those in /modules, in this order; all if empty
extra=()		# files to put in, as SRC:DEST
cmdline=
input=/dev/null		# what is typed on the console
wrapper=()		# a command that runs moat; 77: it cannot
boot_from=initrd	# disk: system.img, which has to be the first --disk
timeout=300s		# of the machine
root=initrd		# of launch(): busybox alone
boots=0

fail() {
	echo "$*" >verdict
	exit 1
}

skip() {
	echo "$*" >verdict
	exit 77
}

# --- files -------------------------------------------------------------------

# make_disk NAME [SIZE] - make NAME.img with random bytes (1M)
make_disk() {
	head -c "${2:-1M}" /dev/urandom >"$1.img"
}

# make_blank_disk NAME [SIZE] - make NAME.img with zeroes (1M)
make_blank_disk() {
	truncate -s 0 "$1.img"
	truncate -s "${2:-1M}" "$1.img"
}

sum_of() {
	sha256sum <"$1.img" | cut -d' ' -f1
}

# make_stream NAME SIZE - NAME.img, at most 8 MiB, which makes up SIZE if it is
# repeated $stream_repeats times: $stream_bytes, with the checksum $stream_sum.
# launch() gets time for it.
# shellcheck disable=SC2034 # for the cases
make_stream() {
	local piece=$((8 << 20))

	stream_bytes=$(numfmt --from=iec "$2")
	((piece < stream_bytes)) || piece=$stream_bytes
	((stream_bytes % piece == 0)) || fail "'$2' is no multiple of 8M"
	make_disk "$1" "$piece"
	stream_repeats=$((stream_bytes / piece))
	stream_sum=$(stream "$1" | md5sum | cut -d' ' -f1)
	timeout=$((300 + stream_bytes / (100 << 10)))s
}

# stream NAME - print it
stream() {
	local i

	for ((i = 0; i < stream_repeats; i++)); do
		cat "$1.img"
	done
}

# --- run ---------------------------------------------------------------------

# find_kernel - set kernel_dir; the case is skipped if there is no such kernel
find_kernel() {
	case $kernel_version in
	patched) our_kernel ;;
	plain) our_kernel --plain ;;
	*)
		kernel_dir=$("$TOOLS/fetch-kernel" --cached --version "$kernel_version" --flavour "$kernel_flavour" --vmlinux) ||
			skip "Debian's kernel $kernel_version cannot be fetched"
		;;
	esac
}

# our_kernel [OPTION] - the same; a kernel that can be built and is not good fails
our_kernel() {
	local build=0

	kernel_dir=$("$TOOLS/guest-kernel" --cached "$@" 2>kernel.log) || build=$?
	case $build in
	0) ;;
	77) skip "$(tail -n 1 kernel.log)" ;;
	*) fail "the kernel cannot be built: $(tail -n 1 kernel.log)" ;;
	esac
}

make_guest() {
	local module args=()

	declare -f guest >guest.sh || fail "the case has no guest()"
	for module in "${modules[@]}"; do
		args+=(-m "$module")
	done
	for module in "${extra[@]}"; do
		args+=(-f "$module")
	done
	if ((${#order[@]})); then
		printf '%s.ko\n' "${order[@]}" >order
		args+=(-f order:/modules/order)
	fi
	"$TOOLS/make-initramfs" -o guest.img -k "$kernel_dir" "${args[@]}" \
		-i "$GUEST_FILES/init" -f "$GUEST_FILES/functions.sh:/functions.sh" \
		-f guest.sh:/guest.sh -f "$GUEST_PROBE:/bin/probe" ||
		fail "cannot make the initramfs"
}

# make_system - make system.img, a file system with what the initramfs has
make_system() {
	local PATH=$PATH:/sbin:/usr/sbin

	rm -rf system system.img
	mkdir system
	(cd system && cpio -idm --quiet <../guest.img) || fail "cannot unpack the initramfs"
	mke2fs -q -t ext4 -d system system.img 64M || fail "cannot make the root file system"
	rm -rf system
}

# take_topology_module MODULE... - put the topology's module into the guest, and
# load these in this order
take_topology_module() {
	local kernel_dir

	kernel_dir=$("$TOOLS/fetch-kernel" --cached --version "$kernel_version" --flavour "$kernel_flavour" --headers) ||
		skip "the headers of Debian's kernel $kernel_version cannot be fetched"
	"$GUEST_FILES/../topology-module/build" "$kernel_dir" virtio_iommu_topology.ko >module.log 2>&1 ||
		fail "the module does not build: $(tail -n 1 module.log)"
	extra+=(virtio_iommu_topology.ko:/modules/virtio_iommu_topology.ko)
	order=("$@")
}

# run_moat OPTION... - run guest() in a machine with these options; sets status
run_moat() {
	local kernel_dir kernel from=(--initrd guest.img) words=$cmdline

	find_kernel
	kernel=$(echo "$kernel_dir/boot/$kernel_file"-*)
	make_guest
	if [ "$boot_from" = disk ]; then
		make_system
		from=()
		words="root=/dev/vda rw init=/init $cmdline"
	fi
	boots=$((boots + 1))
	console=console-$boots errors=errors-$boots status=0
	# 137, not 124, if moat itself hangs
	"$TOOLS/kvm-host" "${wrapper[@]}" timeout -s KILL "$((${timeout%s} + 30))" "$MOAT" run --kernel "$kernel" "${from[@]}" \
		--cmdline "quiet loglevel=1 $words" --timeout "$timeout" --no-reboot -v "$@" \
		<"$input" >"$console" 2>"$errors" || status=$?
	((status != 125)) || fail "$(tail -n 1 "$errors")"
	((status != 77)) || skip "$(tail -n 1 "$errors")"
	said="$(tr -d '\r' <"$console" | sed -n 's/^#guest //p')"
	if [[ $said =~ failed:\ ([^$'\n']*) ]]; then
		fail "in the guest: ${BASH_REMATCH[1]}"
	fi
}

# boot OPTION... - the same, and the guest has to pass and to power off
boot() {
	run_moat "$@"
	ended_with 0
	grep -qx passed <<<"$said" || fail "the guest did not come to its end"
}

# cell OPTION... - boot with one disk to read and one to write, for the boot
# matrix and what is like it
cell() {
	make_disk data
	make_blank_disk copy
	boot "$@" --disk path=data.img,id=data --disk path=copy.img,id=copy
}

# cell_shows TYPE FIRMWARE [CPUS] - what the guest told is a guest with so many
# processors whose rng and disks are behind the IOMMU, in groups of this type
cell_shows() {
	told_is type "$1"
	told_is firmware "$2"
	told_is cpus "${3:-1}"
	told_is endpoints '0000:00:03.0 0000:00:05.0 0000:00:06.0'
	disk_was_copied data copy
	iommu_was_used
}

# run_beside - the next boot() has functions of the case run on its host, see
# beside.sh: prepare(), beside(), clean_up()
run_beside() {
	declare -f prepare beside clean_up >host-functions.sh || fail "the case lacks a function for beside.sh"
	wrapper=("$GUEST_FILES/../beside.sh" host-functions.sh)
}

# type_when LINE TEXT - type TEXT on the console of the next boot() once the
# guest has said LINE: what comes before somebody reads is lost
type_when() {
	local output=console-$((boots + 1))

	input=typed
	rm -f typed
	mkfifo typed
	{
		for _ in {1..600}; do
			! grep -qs "^#guest $1" "$output" || break
			sleep 0.2
		done
		printf '%s\n' "$2"
	} >typed &
}

# --- commands in guests ------------------------------------------------------

# launch OPTION... -- COMMAND... - run it on busybox, or as $root says; sets status
launch() {
	launch_to cat "$@"
}

# launch_to READER OPTION... -- COMMAND... - the same, READER gets its output
launch_to() {
	local reader=$1 kernel_dir where=(--root "$root")
	shift

	find_kernel
	[ "$root" != initrd ] || where=(--initrd root.img)
	[ -e root.img ] || "$TOOLS/make-initramfs" -o root.img || fail "cannot make the initramfs"
	launch_bare_to "$reader" --kernel "$(echo "$kernel_dir/boot/$kernel_file"-*)" "${where[@]}" \
		--timeout "$timeout" "$@"
}

# launch_bare_to READER OPTION... -- COMMAND... - with these options alone
launch_bare_to() {
	local reader=$1
	shift

	boots=$((boots + 1))
	console=console-$boots errors=errors-$boots status=0
	set +o pipefail
	# 137, not 124, if moat itself hangs
	"$TOOLS/kvm-host" "${wrapper[@]}" timeout --foreground -s KILL "$((${timeout%s} + 30))" "$MOAT" run "$@" <"$input" 2>"$errors" |
		$reader >"$console" || :
	status=${PIPESTATUS[0]}
	set -o pipefail
	! grep '^kvm-host: ' "$errors" || fail "$(grep -m 1 '^kvm-host: ' "$errors")"
}

# out_is TEXT - the command's output
out_is() {
	[ "$(cat "$console")" = "$1" ] || fail "the output is '$(head -c 200 "$console")' instead of '$1'"
}

# --- expectations ------------------------------------------------------------

ended_with() {
	[ "$status" = "$1" ] || fail "moat ended with $status instead of $1: $(tail -n 1 "$errors")"
}

# told KEY - print what the guest told under KEY
told() {
	sed -n "s/^told $1=//p" <<<"$said" | tail -n 1
}

# told_is KEY VALUE
told_is() {
	[ "$(told "$1")" = "$2" ] || fail "the guest's $1 is '$(told "$1")' instead of '$2'"
}

# disk_was_copied FROM TO - the guest read what the host wrote, and back
disk_was_copied() {
	told_is "sum-$1" "$(sum_of "$1")"
	told_is "sum-$2" "$(sum_of "$1")"
	cmp -s "$1.img" "$2.img" || fail "what the guest wrote to '$2' is not what it read from '$1'"
}

# moat_says PATTERN - on its standard error
moat_says() {
	grep -qE "$1" "$errors" || fail "moat does not say '$1'"
}

# nothing_was_left - the wrapper left-behind.sh has found nothing
nothing_was_left() {
	! grep -q '^left behind' "$errors" || fail "$(grep '^left behind' "$errors")"
}

# iommu_count NAME - print what moat counted: attaches, maps, faults, ...
iommu_count() {
	sed -n "s/^moat: IOMMU:.*[ (]\([0-9]*\) $1\b.*/\1/p" "$errors" | tail -n 1
}

# iommu_was_used - devices were attached and transfers translated, no faults
iommu_was_used() {
	local name

	moat_says '^moat: IOMMU on: '
	for name in attaches maps translations; do
		(($(iommu_count $name) > 0)) || fail "the IOMMU counted no $name"
	done
	[ "$(iommu_count faults)" = 0 ] || fail "the IOMMU counted $(iommu_count faults) faults"
}

iommu_was_off() {
	moat_says '^moat: IOMMU off: '
	[ -z "$(iommu_count attaches)" ] || fail "there is an IOMMU"
}

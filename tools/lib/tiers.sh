# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# tiers.sh - the tiers of tools/test: each is a function that says what it does
# on its output, counts with tally() and returns 0, 1 or 77 (cannot run; its
# last line says why).
#
# Used: $root, $builds, $long, $work, $tier.  Functions run in a subshell with
# "set -e".
# shellcheck disable=SC2154

# tally PASSED FAILED SKIPPED - of the tier that runs; 1 0 0 if it is not called
tally() {
	echo "$*" >"$work/$tier.tally"
}

# --- builds ------------------------------------------------------------------

# build NAME OPTION... - with warnings as errors, in $builds/NAME
build() {
	local dir=$builds/$1
	shift

	# other options than last time: from the start
	if [ "$(cat "$dir/options" 2>/dev/null)" != "${CC-} $*" ]; then
		rm -rf "$dir"
		meson setup "$dir" "$root" -Dwerror=true "$@"
		echo "${CC-} $*" >"$dir/options"
	fi
	ninja -C "$dir"
}

# meson_test NAME OPTION... - run the tests of a build, and count them
meson_test() {
	local dir=$builds/$1 log status=0
	shift

	log=$dir/meson-logs/testlog
	rm -f "$log.json"
	# ThreadSanitizer of clang 14 needs addresses that are not too random
	"${fixed_addresses[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || status=$?
	[ -e "$log.json" ] || return 1
	# shellcheck disable=SC2046 # three numbers
	tally $("$root/tools/lib/tally-meson" "$log.json")
	return "$status"
}

fixed_addresses=(setarch -R)
"${fixed_addresses[@]}" true 2>/dev/null || fixed_addresses=()

# With gcc, and as the README says to build a release; the sanitizers' tiers build with clang.
tier_gcc() { build gcc; }
tier_release() { build release --buildtype release -Db_lto=true -Dtests=disabled; }

# --- unit tests --------------------------------------------------------------

# What needs a KVM is for tier_kvm alone where this machine has none.
without_kvm=()
[ -e /dev/kvm ] || without_kvm=(--no-suite kvm)

# With --long, the verified disks behind the IOMMU do half a million requests each.
tier_unit() {
	[ -z "$long" ] || export MOAT_DISK_OPS=500000
	meson_test gcc "${without_kvm[@]}" ${long:+--timeout-multiplier 10}
}

# In one process each: to fork one that has AddressSanitizer costs more than most
# tests; those that are about processes say themselves that they want it.
tier_asan() {
	CC=clang build asan -Db_sanitize=address,undefined -Db_lundef=false
	CK_FORK=no ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		meson_test asan --no-suite tree "${without_kvm[@]}"
}

# In one process each, where ThreadSanitizer sees all threads; without what is
# about processes.  With --long, each race between readers, a writer and holds runs for a minute.
tier_tsan() {
	[ -z "$long" ] || export MOAT_RACE_MS=60000 CK_DEFAULT_TIMEOUT=600
	CC=clang build tsan -Db_sanitize=thread -Db_lundef=false
	CK_FORK=no TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 meson_test tsan --no-suite tree --no-suite forks "${without_kvm[@]}" ${long:+--timeout-multiplier 10}
}

# Each target runs for some seconds, or with --long for ten minutes.
tier_fuzz() {
	local args=()

	CC=clang build fuzz -Dfuzz=true -Dtests=disabled -Db_sanitize=address,undefined -Db_lundef=false
	[ -z "$long" ] || args=(--timeout-multiplier 0 --test-args=-max_total_time=600)
	# Rigs live as long as the process, in memory that LeakSanitizer does not
	# look at; the unit tests look for leaks.
	ASAN_OPTIONS=detect_leaks=0 meson_test fuzz --suite fuzz "${args[@]}"
}

# --- the tree ----------------------------------------------------------------

tier_format() {
	local files

	mapfile -t files < <(cd "$root" && find . -name '.?*' -prune -o -path './build*' -prune -o -name '*.[ch]' -print)
	(cd "$root" && clang-format --dry-run -Werror "${files[@]}") || return
	echo "${#files[@]} files"
}

# scripts - print what is a shell script
scripts() {
	(cd "$root" && grep -rlIE --exclude-dir='build*' --exclude-dir=.git '^#!.*\<(ba|da)?sh\>|^# shellcheck shell=' .)
}

tier_scripts() {
	local files

	mapfile -t files < <(scripts)
	(cd "$root" && shellcheck -x "${files[@]}") || return
	echo "${#files[@]} scripts"
}

# The module of guest-tests/linux, for the kernel that it is for.
tier_module() {
	local kernel

	kernel=$("$root/tools/fetch-kernel" --cached --headers) || return 77
	"$root/guest-tests/linux/topology-module/build" --check "$kernel" "$work/virtio_iommu_topology.ko"
}

# --- KVM ---------------------------------------------------------------------

# Programs without an operating system, on whatever KVM this machine has, or
# else in the nested host.
tier_bare() {
	local status=0 line

	"$root/guest-tests/bare/run" --build "$builds/gcc" --logs "$work/bare" | tee "$work/$tier.out" || status=$?
	line=$(tail -n 1 "$work/$tier.out")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		tally "${BASH_REMATCH[@]:1}"
	fi
	return "$status"
}

# The unit tests that need KVM, on one that runs any instruction.
tier_kvm() {
	local said status=0

	# The nested host is slow.
	# shellcheck disable=SC2016 # for the shell in there
	said=$(CK_TIMEOUT_MULTIPLIER=5 "$root/tools/kvm-host" \
		bash -c 'for test; do "$test" || failed=1; done; exit "${failed-0}"' kvm \
		"$builds"/gcc/vmm/{kvm/tests/test_kvm,machine/tests/test_run,cli/tests/test_cli_{guest,bad_input}} \
		</dev/null 2>&1) || status=$?
	echo "$said"
	((status != 125)) || return 77
	said=${said##*again from its beginning}
	# shellcheck disable=SC2046 # three numbers
	tally $(sed -n 's/.*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' <<<"$said" |
		awk '{ failed += $2 + $3; all += $1 } END { print all - failed, failed + 0, 0 }')
	return "$status"
}

# guests N [OPTION|CASE]... - boot the guests, one at a time, in nested host N
guests() {
	local status=0 line number=$1
	shift
	[ -z "$long" ] || export MOAT_TEST_LONG=1

	"$root/guest-tests/linux/run" --build "$builds/gcc" --logs "$work/guests-$number" -j 1 --instance "$number" "$@" |
		tee "$work/$tier.out" || status=$?
	line=$(tail -n 1 "$work/$tier.out")
	[[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || return 1
	tally "${BASH_REMATCH[@]:1}"
	return "$status"
}

# Of the launcher's cases those that take some 20 seconds each.
short_launches=" launch-uname launch-status launch-pipe launch-panic launch-reboot launch-no-driver "

# guest_cases - their names; those that take minutes each, the launcher's other
# ones, *-every and *-many, with --long
guest_cases() {
	local file name

	for file in "$root"/guest-tests/linux/cases/*.sh; do
		name=${file##*/}
		name=${name%.sh}
		[[ -z "$long" && ($name = launch-* || $name = *-every || $name = *-many) &&
			$short_launches != *" $name "* ]] || echo "$name"
	done
}

# These two share the cases.
tier_guests() {
	local names

	mapfile -t names < <(guest_cases)
	guests 0 --share "$work/guests" "${names[@]}"
}

tier_more_guests() {
	local names

	mapfile -t names < <(guest_cases)
	guests 1 --share "$work/guests" "${names[@]}"
}

# One for each thing that must not break unseen, for continuous integration.
tier_some_guests() {
	guests 0 disk-behind-iommu disk-without-iommu boot-acpi-strict boot-none-module patched-none cpus-4 reboot \
		panic-on-console power-off launch-uname launch-net-user
}

# --- soaks -------------------------------------------------------------------

tier_kvm_host_soak() {
	"$root/tools/tests/kvm-host-soak" 50
}

tier_boot_soak() {
	"$root/guest-tests/linux/run" --build "$builds/gcc" --logs "$work/soak" --repeat 200 disk-behind-iommu
}

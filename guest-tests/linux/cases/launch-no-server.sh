# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Without virtiofsd a shared folder is refused at once, and nothing is left.

cat >hide.sh <<'END'
left() {
	find "${TMPDIR:-/tmp}" "${XDG_RUNTIME_DIR:-/tmp}" -maxdepth 2 \
		'(' -name 'moat-??????' -o -name '*.sock' ')' 2>/dev/null | sort -u
}
left >before
for place in /usr/lib/qemu /usr/libexec; do
	[ ! -d "$place" ] || mount -t tmpfs none "$place"
done
program=$(command -v "$1")
shift
PATH=/none "$program" "$@"
status=$?
left | comm -13 before - | sed 's/^/left behind: /' >&2
exit "$status"
END
mkdir work
wrapper=(bash hide.sh)
launch --share work -- true
ended_with 125
moat_says "^moat: .*there is no 'virtiofsd' to serve it \(Debian has it in qemu-system-common or virtiofsd\)$"
[ "$(grep -vc '^moat: IOMMU' "$errors")" = 1 ] || fail "that is not all: $(cat "$errors")"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Without virtiofsd a shared folder, without passt user networking is refused at once, and nothing is left.

cat >hide.sh <<'END'
for place in /usr/lib/qemu /usr/libexec; do
	[ ! -d "$place" ] || mount -t tmpfs none "$place"
done
program=$(command -v "$1")
shift
PATH=/none exec "$program" "$@"
END
mkdir work
wrapper=("$GUEST_FILES/../left-behind.sh" bash hide.sh)

# refused SENTENCE - that alone is said
refused() {
	ended_with 125
	moat_says "^moat: .*$1$"
	[ "$(grep -vc '^moat: IOMMU' "$errors")" = 1 ] || fail "that is not all: $(cat "$errors")"
}

launch --share work -- true
refused "there is no 'virtiofsd' to serve it \(Debian has it in qemu-system-common or virtiofsd\)"
launch --net user -- true
refused "there is no 'passt' for user networking \(Debian has it in passt\)"

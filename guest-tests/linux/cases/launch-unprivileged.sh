# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Who may open /dev/kvm needs no other right: for the host as the root, a shared folder, the network.

# Where that user can read what is needed.
cat >as-user.sh <<'END'
dir=$(TMPDIR=/tmp mktemp -d)
mkdir "$dir/kernel" "$dir/work"
echo from-host >"$dir/work/file"
: >"$dir/moat"
chown -R 1000:1000 "$dir"
mount --bind "$KERNEL" "$dir/kernel"
mount --bind "$MOAT" "$dir/moat"
chmod 666 /dev/kvm
cd "$dir/work"
export HOME=$dir TMPDIR=$dir XDG_RUNTIME_DIR=$dir MOAT_CACHE=$dir
status=0
setpriv --reuid=1000 --regid=1000 --clear-groups "${@/#"$MOAT"/"$dir/moat"}" || status=$?
[ "$(stat -c %u new)" = 1000 ] || echo "what the command wrote is not the user's" >&2
cat new
find "$dir" -xdev -type s | sed 's/^/left behind: /' >&2
exit "$status"
END
find_kernel
export KERNEL=$kernel_dir MOAT
echo served >served
wrapper=("$GUEST_FILES/../host-net.sh" served "$GUEST_FILES/../left-behind.sh" bash as-user.sh)
launch_bare_to cat --kernel "../kernel/boot/$(basename "$kernel_dir"/boot/vmlinuz-*)" --share . --net user --iommu on -- \
	bash -c 'cat file; echo from-guest >new; exec 3<>/dev/tcp/10.0.2.2/8000; printf "GET /data HTTP/1.0\r\n\r\n" >&3; tail -n 1 <&3; exit 6'
ended_with 6
out_is "from-host
served
from-guest"
! grep -q "is not the user's" "$errors" || fail "what the command wrote is not the user's"
nothing_was_left

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Folders behind and outside the IOMMU are read and written, one is read-only, one has a server of its own.

guest() {
	check "the first share has an IOMMU group" soon managed 0000:00:18.0
	check "the second has none" [ "$(group_type 0000:00:17.0)" = none ]
	for tag in inside outside readonly served; do
		mkdir -p /mnt/$tag
		soon mount -t virtiofs $tag /mnt/$tag
		tell sum-$tag "$(sha256sum </mnt/$tag/data.img | cut -d' ' -f1)"
	done
	cp /mnt/inside/data.img /mnt/outside/copy.img
	cp /mnt/outside/data.img /mnt/inside/copy.img
	mkdir -p /mnt/inside/a/b
	for i in $(seq 20); do
		echo "$i" >/mnt/inside/a/b/$i
	done
	tell files "$(ls /mnt/inside/a/b | wc -l)"
	check "the read-only share is not written" [ ! -e /mnt/readonly/new ]
	if echo x >/mnt/readonly/new 2>/dev/null; then
		fail "the read-only share was written"
	fi
	cp /mnt/inside/data.img /mnt/served/copy.img
	umount /mnt/inside /mnt/outside /mnt/readonly /mnt/served
	# once more: the server gets another FUSE_INIT
	mount -t virtiofs inside /mnt/inside
	tell again "$(sha256sum </mnt/inside/copy.img | cut -d' ' -f1)"
}

modules+=(virtiofs)
mkdir inside outside readonly served
for share in inside outside readonly served; do
	make_disk $share/data 300K
done
for server in "$(command -v virtiofsd || true)" /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
	[ ! -x "$server" ] || break
done
[ -x "$server" ] || skip "there is no 'virtiofsd'"
case $server in
/usr/lib/qemu/*) shared="-o source=$PWD/served" ;;
*) shared="--shared-dir=$PWD/served" ;;
esac
cat >around <<END
$server --socket-path=/tmp/fs.socket $shared &
server=\$!
until [ -S /tmp/fs.socket ]; do
	kill -0 \$server || exit 1
	sleep 0.1
done
(until grep -qsx fs0 /proc/[0-9]*/task/*/comm; do sleep 0.3; done; touch thread) &
looker=\$!
"\$@"
status=\$?
kill \$server \$looker 2>/dev/null
exit \$status
END
wrapper=(sh around)
boot --iommu on --fs inside,tag=inside,loop=own --fs outside,tag=outside,iommu=off --fs readonly,tag=readonly,ro=on \
	--fs vhost-user=/tmp/fs.socket,tag=served
for share in inside outside readonly served; do
	told_is sum-$share "$(sum_of $share/data)"
done
told_is again "$(sum_of outside/data)"
told_is files 20
cmp -s inside/data.img outside/copy.img || fail "what the guest wrote outside is not what it read inside"
cmp -s outside/data.img inside/copy.img || fail "what the guest wrote inside is not what it read outside"
cmp -s inside/data.img served/copy.img || fail "what the guest wrote to its own server is not what it read inside"
[ "$(cat inside/a/b/17)" = 17 ] || fail "a small file is not what the guest wrote"
[ -e thread ] || fail "the first share has no thread of its own"
[ ! -e readonly/new ] || fail "the read-only share has a new file"
iommu_was_used

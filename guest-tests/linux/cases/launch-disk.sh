# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk is the root, under an overlay if it is read-only.

PATH=$PATH:/sbin:/usr/sbin
mkdir -p tree/bin tree/etc
cp "$(command -v busybox)" tree/bin/busybox
for applet in sh cat echo; do ln -s busybox "tree/bin/$applet"; done
echo from-disk >tree/etc/hello
truncate -s 16M root.img.ext4
mke2fs -q -t ext4 -d tree root.img.ext4 || skip "there is no mke2fs"
before=$(sha256sum <root.img.ext4)
root=disk
launch --disk root.img.ext4,ro=on -- sh -c 'cat /etc/hello; echo new >/etc/hello; cat /etc/hello'
ended_with 0
out_is "from-disk
new"
[ "$(sha256sum <root.img.ext4)" = "$before" ] || fail "the disk has changed"
launch --disk root.img.ext4 -- sh -c 'echo kept >/etc/hello'
ended_with 0
e2fsck -fy root.img.ext4 >fsck.log 2>&1 || (($? == 1)) || fail "the disk is broken: $(tail -n 1 fsck.log)"
[ "$(debugfs -R 'cat /etc/hello' root.img.ext4 2>/dev/null)" = kept ] || fail "what the command wrote is not on the disk"

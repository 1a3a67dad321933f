# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Serial and virtio console together: all text comes out.

guest() {
	tell console "$(cat /sys/class/tty/console/active)"
	say "serial" >/dev/ttyS0
	say "virtio" >/dev/hvc0
}

boot --console both
told_is console 'ttyS0 hvc0'
grep -qx serial <<<"$said" || fail "nothing from the serial line"
grep -qx virtio <<<"$said" || fail "nothing from the virtio console"

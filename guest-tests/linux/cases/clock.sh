# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The clock tells the host's time.

guest() {
	date +%s >/kernel	# as the kernel read it while booting
	tell clock "$(cat /sys/class/rtc/rtc0/since_epoch)"
	tell kernel "$(cat /kernel)"
	tell name "$(cat /sys/class/rtc/rtc0/name)"
}

# the nested host's clock, which may have drifted from ours
cat >around <<'END'
date +%s >started
"$@"
status=$?
date +%s >ended
exit $status
END
wrapper=(sh around)
boot
for name in clock kernel; do
	(($(told $name) >= $(cat started) - 1 && $(told $name) <= $(cat ended) + 1)) ||
		fail "the guest's $name says $(told $name), the host's $(cat started) to $(cat ended)"
done

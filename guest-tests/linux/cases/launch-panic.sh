# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A panic is status 255, its text on standard error, an error in the report.

launch --junit report.xml -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 100'
ended_with 255
out_is before
moat_says '^moat: guest: .*sysrq: Trigger a crash'
moat_says "^moat: the guest's kernel panicked: sysrq triggered crash"
grep -q '<error type="panic"' report.xml || fail "the report does not tell of the panic"

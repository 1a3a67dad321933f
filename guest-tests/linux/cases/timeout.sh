# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# --timeout ends a guest that does not end itself: 124.

guest() {
	sleep 1000
}

begin=$SECONDS
run_moat --timeout 6s
ended_with 124
moat_says '^moat: timeout: '
((SECONDS - begin >= 6)) || fail "moat ended after $((SECONDS - begin)) s"

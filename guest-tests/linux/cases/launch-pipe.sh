# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The input's end reaches the command, and so does a reader that goes away.

echo hi >typed
input=typed
launch -- cat
ended_with 0
out_is hi
input=/dev/null
launch_to "head -n 1" -- sh -c 'yes; echo $? >&2'
ended_with 0
out_is y
grep -qE '^(141|1)$' "$errors" || fail "the command did not learn that its reader has gone"

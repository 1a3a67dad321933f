# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A command's output, errors and exit status are moat's.

# shellcheck disable=SC2016 # for the guest's shell
launch --env "A=b c" --pwd /proc --user nobody -- \
	sh -c 'echo "$A"; pwd; id -un; echo trouble >&2; exit 7'
ended_with 7
out_is "b c
/proc
nobody"
grep -qx trouble "$errors" || fail "the command's errors are not there"
grep -q '^moat:' "$errors" && fail "moat says something without need: $(grep -m 1 '^moat:' "$errors")"
launch -- sh -c 'kill -9 $$'
ended_with 137
launch -- no-such-command
ended_with 127

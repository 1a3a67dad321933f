# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A command's output, errors and exit status are moat's.

# shellcheck disable=SC2016 # for the guest's shell
launch --env "A=b c" --pwd /proc --user 1000:100 -- \
	sh -c 'echo "$A"; pwd; id -u; id -g; echo trouble >&2; exit 7'
ended_with 7
out_is "b c
/proc
1000
100"
[ "$(cat "$errors")" = trouble ] || fail "standard error is '$(cat "$errors")' instead of 'trouble'"
launch -- no-such-command
ended_with 127
moat_says '^moat: no-such-command: No such file or directory$'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# "moat run -- uname -a" finds a kernel, says which, and runs the host's uname in it.

"$TOOLS/fetch-kernel" --cached >/dev/null || skip "Debian's kernel cannot be fetched"
launch_bare_to cat -- uname -a
ended_with 0
grep -q '^Linux moat 6\.12\.' "$console" || fail "the output is '$(cat "$console")'"
moat_says "^moat: kernel '.*', (from the cache|the host's own)$"
[ "$(wc -l <"$errors")" = 1 ] || fail "moat says more than which kernel: $(cat "$errors")"

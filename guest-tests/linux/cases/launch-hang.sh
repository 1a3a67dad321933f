# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A command that hangs and a kernel that does are told apart, status 124.

timeout=100s
launch -- sleep 1000
ended_with 124
moat_says '^moat: timeout: the command has not ended after 100 s'
launch --cmdline "rdinit=/none root=/dev/nowhere rootwait"  -- true
ended_with 124
moat_says '^moat: timeout after 100 s: the command was not started'
moat_says '^moat: guest: .*Waiting for root device'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A reboot ends the run, and is no success.

launch -- reboot -f
ended_with 125
moat_says '^moat: the guest rebooted before the command ended'

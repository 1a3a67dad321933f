# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Power-off ends moat with 0.

guest() {
	:
}

boot
moat_says '^moat: the guest powered off'

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# An MPTable and two CPUs, no initrd: the root file system is on the protected disk.

# shellcheck disable=SC2034,SC2154
machine=(--describe mptable --cpus 2) firmware=mptable
# shellcheck source-path=SCRIPTDIR source=patched-root.sh
. "${case_file%-mptable.sh}.sh"

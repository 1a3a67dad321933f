# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# ACPI without VIOT, no initrd: the root file system is on the protected disk.

# shellcheck disable=SC2034,SC2154
machine=(--viot off) firmware=acpi
# shellcheck source-path=SCRIPTDIR source=patched-root.sh
. "${case_file%-acpi.sh}.sh"

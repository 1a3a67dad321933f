# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Every wrong topology that moat can serve is refused by a patched kernel.

# shellcheck disable=SC2034,SC2154
every=1
# shellcheck source-path=SCRIPTDIR source=patched-refused.sh
. "${case_file%-every.sh}.sh"

# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The host's files are the root, and only the shared folders can be changed.

root=/
mkdir -p work/sub other
echo from-host >work/input
launch --share work --rw other -- sh -c 'set -e
	cat input
	pwd
	echo from-guest >sub/output
	echo too >'"$PWD"'/other/file
	echo gone >'"$PWD"'/dropped
	cat '"$PWD"'/dropped'
ended_with 0
out_is "from-host
$PWD/work
gone"
[ "$(cat work/sub/output)" = from-guest ] || fail "what the command wrote to --share is not here"
[ "$(cat other/file)" = too ] || fail "what the command wrote to --rw is not here"
[ ! -e dropped ] || fail "the command has changed what is not shared"
launch --share work,ro=on -- sh -c 'echo x >input'
[ "$status" != 0 ] || fail "the command wrote to a read-only folder"
[ "$(cat work/input)" = from-host ] || fail "a read-only folder has changed"

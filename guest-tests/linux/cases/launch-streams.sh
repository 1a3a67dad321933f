# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Bytes in and out at once are whole, the IOMMU between: 10 MB, with --long 100.

# In the memory of where moat runs: what is measured here is not a way to there.
cat >stream.sh <<'END'
dir=$(mktemp -d)
head -c "$BYTES" /dev/urandom >"$dir/in"
begin=$(date +%s%N)
"$@" <"$dir/in" >"$dir/out"
status=$?
echo "$(($(date +%s%N) - begin)) ns" >&2
sha256sum <"$dir/in"
sha256sum <"$dir/out"
exit "$status"
END
export BYTES=10000000
[ -z "${MOAT_TEST_LONG-}" ] || BYTES=100000000
wrapper=(bash stream.sh)
launch --iommu on -v -- cat
ended_with 0
[ "$(sort -u "$console" | wc -l)" = 1 ] || fail "what came out is not what went in"
iommu_was_used

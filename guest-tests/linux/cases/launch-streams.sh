# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# 100 MB in and out at once are whole, the IOMMU between.

head -c 100000000 /dev/urandom >data.img
input=data.img
launch --iommu on -v -- cat
ended_with 0
cmp -s data.img "$console" || fail "what came out is not what went in: $(stat -c %s "$console") bytes"
iommu_was_used

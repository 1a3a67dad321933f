# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# What is typed reaches the guest, by either console.

guest() {
	say ready
	read -r line
	tell line "$line"
}

for kind in serial virtio; do
	type_when ready "words for $kind"
	boot --console $kind
	told_is line "words for $kind"
done

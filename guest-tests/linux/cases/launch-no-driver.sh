# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A kernel whose modules are nowhere is told by the driver that is missing.

kernel_dir=$("$TOOLS/fetch-kernel" --cached --version "$kernel_version") || skip "Debian's kernel cannot be fetched"
cp "$kernel_dir"/boot/vmlinuz-* bzImage
launch_bare_to cat --kernel bzImage -- true
ended_with 125
moat_says "^moat: in the guest: the kernel has no file system 'overlay' \(no folder of its modules was found, --modules DIR names one\)$"

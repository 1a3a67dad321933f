/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * initramfs.h - look for the virtio-iommu module in an initial RAM disk: cpio
 * archives (newc), each compressed or not, one behind the other.
 * [Linux Documentation/driver-api/early-userspace/buffer-format.rst]
 */
#ifndef MOAT_BOOT_INITRAMFS_H
#define MOAT_BOOT_INITRAMFS_H

struct image;

enum initramfs_verdict {
	INITRAMFS_NO,
	INITRAMFS_FOUND,
	INITRAMFS_UNKNOWN, /* it is compressed in a way moat cannot unpack */
};

/*
 * initramfs_find_driver - damaged archives are looked through as far as they
 * go.
 *
 * Return: a verdict; -ENOMEM.
 */
int initramfs_find_driver(const struct image *im);

#endif

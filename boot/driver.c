/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* boot_find_driver(): in the initrd first, which is the usual place. */
#include <errno.h>
#include <string.h>

#include "boot/builtin.h"
#include "boot/image.h"
#include "boot/initramfs.h"
#include "boot/kernel.h"
#include "boot/linux.h"
#include "core/err.h"

static int look_into_initrd(const char *path, struct err *err)
{
	struct image im;
	int r;

	r = image_open(&im, path, err);
	if (r == 0) {
		r = initramfs_find_driver(&im);
		if (r < 0)
			(void)err_set(err, -r, "no memory to look into it");
	}
	if (r < 0)
		err_prefix(err, "initrd '%s'", path);
	image_close(&im);
	return r;
}

static int look_into_kernel(const char *path, const char *cache_dir,
			    enum builtin *ret_builtin, struct err *err)
{
	struct kernel k;
	int r;

	kernel_init(&k);
	r = kernel_open(&k, path, cache_dir, KERNEL_EXAMINE, err);
	if (r == 0)
		*ret_builtin = kernel_builtin(&k);
	kernel_close(&k);
	return r;
}

int boot_archive_has_driver(const struct boot_archive *a)
{
	struct image im;
	int r;

	if (a->len == 0)
		return 0;
	r = image_alloc(&im, a->len);
	if (r < 0)
		return r;
	memcpy(im.mapping, a->data, a->len);
	im.size = a->len;
	r = initramfs_find_driver(&im);
	image_close(&im);
	return r < 0 ? r : r == INITRAMFS_FOUND;
}

int boot_find_driver(const char *kernel, const char *initrd,
		     const char *cache_dir, const char **ret_where,
		     struct err *err)
{
	enum builtin builtin = BUILTIN_UNKNOWN;
	int verdict = INITRAMFS_NO;
	int r;

	if (initrd)
		verdict = look_into_initrd(initrd, err);
	if (verdict < 0)
		return verdict;
	if (verdict == INITRAMFS_FOUND) {
		*ret_where = "its module is in the initrd";
		return 1;
	}
	r = look_into_kernel(kernel, cache_dir, &builtin, err);
	if (r < 0)
		return r;
	switch (builtin) {
	case BUILTIN_CONFIG:
		*ret_where = "the kernel's configuration has it built in";
		return 1;
	case BUILTIN_TEXT:
		*ret_where = "it is built into the kernel";
		return 1;
	case BUILTIN_UNKNOWN:
		*ret_where = "moat cannot unpack the kernel to look";
		return 0;
	case BUILTIN_NO:
		break;
	}
	if (!initrd)
		*ret_where = "not built into the kernel, and no initrd";
	else if (verdict == INITRAMFS_UNKNOWN)
		*ret_where = "not built into the kernel, and the initrd's "
			     "format is not known";
	else
		*ret_where = "neither in the initrd nor in the kernel";
	return 0;
}

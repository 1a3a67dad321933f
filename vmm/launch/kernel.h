/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kernel.h - which kernel a guest gets when nobody says, and where its
 * modules are.
 */
#ifndef MOAT_VMM_LAUNCH_KERNEL_H
#define MOAT_VMM_LAUNCH_KERNEL_H

struct err;

struct launch_kernel {
	char *path;
	const char *from; /* "as asked", "the host's own": static */
	char *modules;	  /* folder with modules.dep; NULL: none found */
};

/* Where to look; tests have folders of their own. */
struct launch_kernel_places {
	const char *boot;    /* "/boot" */
	const char *release; /* of the host's kernel, `uname -r` */
	const char *cache;   /* what tools/fetch-kernel fills; NULL: none */
	const char *modules; /* "/lib/modules" */
};

/*
 * launch_kernel_choose - @asked; else the host's own when it can be read;
 * else the newest in the cache.
 * @asked, @modules: the user's choice; NULL: none
 *
 * Return: 0; -ENOENT, -EACCES with a sentence that says where it looked;
 * -ENOMEM.  Whether the file is a kernel shows when it is loaded.
 */
int launch_kernel_choose(struct launch_kernel *ret_k,
			 const struct launch_kernel_places *places,
			 const char *asked, const char *modules,
			 struct err *err);
/* Accepts a zeroed object. */
void launch_kernel_fini(struct launch_kernel *k);

#endif

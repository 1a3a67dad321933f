/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * modules.h - the loadable modules of one kernel: which it has, in which
 * order they have to be loaded, and their bytes.
 *
 * A folder is /lib/modules/VERSION or one like it, with the modules.dep that
 * depmod makes.  In names "-" and "_" are the same.  The folder is the
 * host's, but may be damaged: nothing in it is trusted with sizes.
 */
#ifndef MOAT_BOOT_MODULES_H
#define MOAT_BOOT_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct modules;

enum module_kind {
	MODULE_NONE,
	MODULE_BUILTIN, /* part of the kernel */
	MODULE_FILE,
};

/*
 * modules_open - read what is in folder @dir.
 *
 * Return: 0; -errno with a sentence, -ENOENT if there is no modules.dep.
 */
int modules_open(struct modules **ret_m, const char *dir, struct err *err);
/* NULL does nothing. */
void modules_close(struct modules *m);

enum module_kind modules_find(const struct modules *m, const char *name);

/*
 * modules_want - module @name is to be loaded, and before it what it needs.
 * Built-in ones and those that are wanted already add nothing.
 *
 * Return: 0; -ENOENT if there is no such module; -ENOMEM.
 */
int modules_want(struct modules *m, const char *name);

/* How many files are wanted; the path of each in the folder, in the order in
 * which they have to be loaded. */
size_t modules_count(const struct modules *m);
const char *modules_path(const struct modules *m, size_t i);

/*
 * modules_read - append file @i to @b, as it is.
 * Return: 0; -errno with a sentence.
 */
int modules_read(const struct modules *m, size_t i, struct buf *b,
		 struct err *err);

/* Is it compressed?  @data: the @len bytes of a file */
bool modules_packed(const uint8_t *data, size_t len);

/*
 * modules_unpack - append to @b what the @len bytes of file @i unpack to; they
 * themselves, if they are not packed.
 * Return: 0; -errno with a sentence.
 */
int modules_unpack(const struct modules *m, size_t i, const uint8_t *data,
		   size_t len, struct buf *b, struct err *err);

#endif

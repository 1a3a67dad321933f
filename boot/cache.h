/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cache.h - what has been unpacked, found again by the packed bytes it came
 * from: kernels, and modules.
 *
 * An entry is the plain bytes (so that they can be read, or mapped, in place),
 * then the packed payload, then a trailer.  A lookup compares the whole
 * payload: nothing can pass for another one, whatever its hash.  A damaged or
 * half-written entry is one that is not there.
 *
 * That takes reading all of both.  So a small file beside the entries, an
 * alias, notes which entry belongs to a kernel's file: device, inode, size and
 * both times of the file have to be the same as when it was read.
 *
 * The directory belongs to the user who runs moat; entries that somebody else
 * owns or may write are not used.  It can be emptied at any time.  It keeps
 * the kernels and the modules used last.
 *
 * Threads and processes: any; entries appear and go as a whole.
 */
#ifndef MOAT_BOOT_CACHE_H
#define MOAT_BOOT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/builtin.h"
#include "boot/image.h"

#define CACHE_KERNELS_MAX 8
#define CACHE_MODULES_MAX 16
#define CACHE_ALIASES_MAX 32

/* A file that has changed within this time may change once more without its
 * times showing it. */
#define CACHE_SETTLED_S 2

enum cache_kind {
	CACHE_KERNEL,  /* an ELF */
	CACHE_MODULES, /* part of an archive, see vmm/launch/drivers.c */
};

struct cache_entry {
	struct image plain;
	uint64_t name, payload_len;
	uint64_t sum;	      /* of the plain bytes, as stored */
	enum builtin builtin; /* of a kernel */
};

/*
 * cache_find - the entry for @payload.
 * @ret_e: filled on success; the image is the caller's to close
 *
 * Return: true if there is one.  Its plain bytes are not verified yet.
 */
bool cache_find(const char *dir, enum cache_kind kind, const uint8_t *payload,
		size_t len, struct cache_entry *ret_e);

/* Are the plain bytes what was stored?  Reads all of them. */
bool cache_verify(const struct cache_entry *e);

/* The same, and leaves them at @dst, which may change in any case. */
bool cache_read(const struct cache_entry *e, uint8_t *dst);

/*
 * cache_remember - note that @e, a kernel, verified, belongs to the file
 * @kernel_fd.
 * @now: of the clock of files, seconds
 *
 * Nothing depends on it, and nothing is noted of a file that may still change.
 */
void cache_remember(const char *dir, int kernel_fd, const struct cache_entry *e,
		    int64_t now);

/*
 * cache_recall - the entry that was noted for the file @kernel_fd.
 * Return: true if there is one; it was verified when it was noted.
 */
bool cache_recall(const char *dir, int kernel_fd, struct cache_entry *ret_e);

/*
 * cache_store - make an entry; the directory and its parents, too.
 * @builtin: of a kernel; else BUILTIN_UNKNOWN
 *
 * Return: 0; -errno.  Nothing depends on it.
 */
int cache_store(const char *dir, enum cache_kind kind, const uint8_t *payload,
		size_t len, const uint8_t *plain, size_t plain_len,
		enum builtin builtin);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What is kept are the modules as they stand in the archive, all of one plan
 * in one entry, by the names and the packed bytes of all of them.  So who has
 * changed one of them, or wants others, gets others.
 */
#include "vmm/launch/drivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cache.h"
#include "boot/cpio.h"
#include "boot/modules.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/launch/plan.h"
#include "vmm/launch/protocol.h"

/*
 * Which ones.
 */

struct need {
	const char *name;
	bool optional;
	const char *for_what;
};

static int want(struct modules *m, const struct need *n, const char *dir,
		struct err *err)
{
	const int r = modules_want(m, n->name);

	if (r == 0 || (r == -ENOENT && n->optional))
		return 0;
	if (r == -ENOENT)
		return err_set(err, ENODEV,
			       "the kernel has no driver '%s', which %s "
			       "needs: neither built in nor in '%s'",
			       n->name, n->for_what, dir);
	return err_set(err, ENOMEM, "out of memory");
}

/* The IOMMU's driver comes before those of the devices behind it. */
static int want_all(struct modules *m, const struct launch_plan *p,
		    struct err *err)
{
	const bool disk =
		p->root == LAUNCH_ROOT_DISK || p->root == LAUNCH_ROOT_RWDISK;
	const bool overlay =
		p->root == LAUNCH_ROOT_DISK || p->root == LAUNCH_ROOT_SHARE;
	const bool share = p->root == LAUNCH_ROOT_SHARE || p->nmounts > 0;
	const struct {
		bool wanted;
		struct need need;
	} all[] = {
		{true, {"virtio_pci", false, "every device"}},
		{true, {"virtio_iommu", true, ""}},
		{true, {"virtio_console", false, "moat run -- COMMAND"}},
		{true, {"virtio_rng", true, ""}},
		{p->nnets > 0, {"virtio_net", false, "--net"}},
		{p->disks, {"virtio_blk", false, "--disk"}},
		{disk, {p->root_type, false, "--root disk"}},
		{share, {"virtiofs", false, "a shared directory"}},
		{overlay, {"overlay", false, "a root that is not changed"}},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].wanted)
			r = want(m, &all[i].need, p->modules, err);
	}
	return r;
}

/* "kernel/fs/fuse/virtiofs.ko.xz" is unpacked and called virtiofs.ko. */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *end = strstr(base, ".ko");

	return strndup(base, end ? (size_t)(end + 3 - base) : strlen(base));
}

static int put_words(const struct modules *m, struct buf *words,
		     struct err *err)
{
	for (size_t i = 0; i < modules_count(m); i++) {
		AUTO_FREE char *name = name_of(modules_path(m, i));

		if (!name)
			return err_set(err, ENOMEM, "out of memory");
		buf_put(words, "module=", 7);
		buf_put(words, name, strlen(name) + 1);
	}
	return 0;
}

/*
 * Their bytes.
 */

/* Of one module in the buffer of packed ones: its place in the archive, up to
 * a NUL, and then the file as it is. */
struct ends {
	size_t name, file; /* where they end */
};

static int read_all(const struct modules *m, struct buf *packed,
		    struct ends *ends, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < modules_count(m); i++) {
		AUTO_FREE char *name = name_of(modules_path(m, i));

		if (!name)
			return err_set(err, ENOMEM, "out of memory");
		buf_put(packed, LAUNCH_MODULES "/", strlen(LAUNCH_MODULES) + 1);
		buf_put(packed, name, strlen(name) + 1);
		ends[i].name = packed->len;
		r = modules_read(m, i, packed, err);
		ends[i].file = packed->len;
	}
	return r;
}

static int unpack_all(const struct modules *m, const struct buf *packed,
		      const struct ends *ends, struct buf *b, struct err *err)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < modules_count(m); i++) {
		struct buf data;

		buf_init(&data);
		r = modules_unpack(m, i, packed->data + ends[i].name,
				   ends[i].file - ends[i].name, &data, err);
		if (r == 0)
			cpio_file(b, (const char *)packed->data + at, 0644,
				  data.data, data.len);
		buf_fini(&data);
		at = ends[i].file;
	}
	return r;
}

/* Is there something to unpack, and so to be kept? */
static bool any_packed(const struct buf *packed, const struct ends *ends,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (modules_packed(packed->data + ends[i].name,
				   ends[i].file - ends[i].name))
			return true;
	}
	return false;
}

/* Return: false if there is no good entry; nothing has been appended then. */
static bool put_cached(const char *cache, const struct buf *packed,
		       struct buf *b)
{
	const size_t start = b->len;
	struct cache_entry e;
	uint8_t *room;
	bool good;

	if (!cache_find(cache, CACHE_MODULES, packed->data, packed->len, &e))
		return false;
	room = buf_grow(b, e.plain.size);
	good = room && cache_read(&e, room);
	if (!good)
		buf_cut(b, start);
	image_close(&e.plain);
	return good;
}

static int put_all(const struct launch_plan *p, const struct modules *m,
		   struct buf *packed, struct ends *ends, struct buf *archive,
		   struct err *err)
{
	const char *cache = p->cache;
	struct buf plain;
	int r = read_all(m, packed, ends, err);

	if (r == 0 && !any_packed(packed, ends, modules_count(m)))
		cache = NULL;
	if (r < 0 || (cache && put_cached(cache, packed, archive)))
		return r;
	buf_init(&plain);
	r = unpack_all(m, packed, ends, &plain, err);
	if (r == 0 && buf_error(&plain) < 0)
		r = err_set(err, ENOMEM, "out of memory");
	if (r == 0)
		buf_put(archive, plain.data, plain.len);
	if (r == 0 && cache)
		(void)cache_store(cache, CACHE_MODULES, packed->data,
				  packed->len, plain.data, plain.len,
				  BUILTIN_UNKNOWN);
	buf_fini(&plain);
	return r;
}

static int put(const struct launch_plan *p, const struct modules *m,
	       struct buf *archive, struct err *err)
{
	AUTO_FREE struct ends *ends =
		calloc(modules_count(m), sizeof(struct ends));
	struct buf packed;
	int r;

	if (!ends)
		return err_set(err, ENOMEM, "out of memory");
	buf_init(&packed);
	r = put_all(p, m, &packed, ends, archive, err);
	buf_fini(&packed);
	return r;
}

int launch_drivers_put(const struct launch_plan *p, struct buf *archive,
		       struct buf *words, struct err *err)
{
	struct modules *m = NULL;
	int r;

	if (!p->modules)
		return 0;
	r = modules_open(&m, p->modules, err);
	if (r == 0)
		r = want_all(m, p, err);
	if (r == 0)
		r = put_words(m, words, err);
	if (r == 0 && modules_count(m) > 0)
		r = put(p, m, archive, err);
	modules_close(m);
	return r;
}

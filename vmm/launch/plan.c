/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cpio.h"
#include "boot/modules.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/launch/protocol.h"

/* vmm/guest-init/embed.S */
extern const unsigned char guest_init_start[], guest_init_end[];

/*
 * Modules.
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

static void put_word(struct buf *words, const char *key, const char *value)
{
	buf_put(words, key, strlen(key));
	buf_put(words, "=", 1);
	buf_put(words, value, strlen(value) + 1);
}

static int put_module(const struct modules *m, size_t i, struct buf *words,
		      struct buf *b, struct err *err)
{
	AUTO_FREE char *name = name_of(modules_path(m, i));
	AUTO_FREE char *path = NULL;
	struct buf data;
	int r;

	if (!name || asprintf(&path, "%s/%s", LAUNCH_MODULES, name) < 0)
		return err_set(err, ENOMEM, "out of memory");
	buf_init(&data);
	r = modules_read(m, i, &data, err);
	if (r == 0) {
		cpio_file(b, path, 0644, data.data, data.len);
		put_word(words, "module", name);
	}
	buf_fini(&data);
	return r;
}

static int put_modules(const struct launch_plan *p, struct buf *words,
		       struct buf *b, struct err *err)
{
	struct modules *m = NULL;
	int r;

	if (!p->modules)
		return 0;
	r = modules_open(&m, p->modules, err);
	if (r == 0)
		r = want_all(m, p, err);
	for (size_t i = 0; r == 0 && i < modules_count(m); i++)
		r = put_module(m, i, words, b, err);
	modules_close(m);
	return r;
}

/*
 * Instructions.
 */

__attribute__((format(printf, 3, 4))) static void
put_text(struct buf *words, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		words->error = -ENOMEM;
		return;
	}
	put_word(words, key, text);
	free(text);
}

static void put_root(const struct launch_plan *p, struct buf *words)
{
	switch (p->root) {
	case LAUNCH_ROOT_INITRD:
		put_word(words, "root", "initrd");
		break;
	case LAUNCH_ROOT_DISK:
		put_text(words, "root", "disk:%s:%s", p->root_source,
			 p->root_type);
		break;
	case LAUNCH_ROOT_RWDISK:
		put_text(words, "root", "rwdisk:%s:%s", p->root_source,
			 p->root_type);
		break;
	case LAUNCH_ROOT_SHARE:
		put_text(words, "root", "share:%s", p->root_source);
		break;
	}
}

static const char *or_none(const char *text)
{
	return text ? text : "-";
}

static void put_net(const struct launch_net *n, struct buf *words)
{
	const uint8_t *m = n->mac;

	put_text(words, "net", "%02x:%02x:%02x:%02x:%02x:%02x %s %u %s %s",
		 m[0], m[1], m[2], m[3], m[4], m[5], or_none(n->address),
		 n->prefix, or_none(n->gateway), or_none(n->dns));
}

static void put_words(const struct launch_plan *p, struct buf *words)
{
	put_root(p, words);
	for (size_t i = 0; i < p->nmounts; i++)
		put_text(words, "mount", "%s:%s:%s", p->mounts[i].tag,
			 p->mounts[i].readonly ? "ro" : "rw",
			 p->mounts[i].path);
	for (size_t i = 0; i < p->nnets; i++)
		put_net(&p->nets[i], words);
	put_text(words, "tty", "%u", p->tty);
	if (p->cols)
		put_text(words, "size", "%u %u", p->cols, p->rows);
	if (p->hostname)
		put_word(words, "hostname", p->hostname);
	if (p->cwd)
		put_word(words, "cwd", p->cwd);
	if (p->user)
		put_word(words, "user", p->user);
	for (const char *const *e = p->env; e && *e; e++)
		put_word(words, "env", *e);
	for (const char *const *a = p->argv; *a; a++)
		put_word(words, "arg", *a);
}

/*
 * The archive.
 */

static void put_base(struct buf *b)
{
	static const char *const dirs[] = {"dev", "proc", "sys", LAUNCH_DIR,
					   LAUNCH_MODULES};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		cpio_dir(b, dirs[i], 0755);
	/* Without one the kernel complains. */
	cpio_char_device(b, "dev/console", 0600, 5, 1);
	cpio_file(b, LAUNCH_INIT, 0755, guest_init_start,
		  (size_t)(guest_init_end - guest_init_start));
}

int launch_plan_write(const struct launch_plan *p, struct buf *b,
		      struct err *err)
{
	struct buf words;
	int r;

	buf_init(&words);
	put_base(b);
	r = put_modules(p, &words, b, err);
	put_words(p, &words);
	cpio_file(b, LAUNCH_PLAN, 0600, words.data, words.len);
	cpio_end(b);
	if (r == 0 && (buf_error(&words) < 0 || buf_error(b) < 0))
		r = err_set(err, ENOMEM, "out of memory");
	buf_fini(&words);
	return r;
}

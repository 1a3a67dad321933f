/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cpio.h"
#include "core/buf.h"
#include "core/err.h"
#include "vmm/launch/drivers.h"
#include "vmm/launch/protocol.h"

/* vmm/guest-init/embed.S */
extern const unsigned char guest_init_start[], guest_init_end[];

/*
 * Instructions.
 */

static void put_word(struct buf *words, const char *key, const char *value)
{
	buf_put(words, key, strlen(key));
	buf_put(words, "=", 1);
	buf_put(words, value, strlen(value) + 1);
}

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

static size_t count(const char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	return n;
}

/* Init could only say so after a boot. */
static int check_words(const struct launch_plan *p, const struct buf *words,
		       struct err *err)
{
	if (count(p->argv) > LAUNCH_WORDS_MAX)
		return err_set(err, E2BIG,
			       "the command has %zu words, and at most %d fit",
			       count(p->argv), LAUNCH_WORDS_MAX);
	if (count(p->env) > LAUNCH_WORDS_MAX)
		return err_set(err, E2BIG,
			       "--env: %zu variables, and at most %d fit",
			       count(p->env), LAUNCH_WORDS_MAX);
	if (words->len > LAUNCH_PLAN_MAX)
		return err_set(err, E2BIG,
			       "the command and its environment are %zu KiB "
			       "long, and at most %d fit",
			       words->len / 1024, LAUNCH_PLAN_MAX / 1024);
	return 0;
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
	r = launch_drivers_put(p, b, &words, err);
	put_words(p, &words);
	cpio_file(b, LAUNCH_PLAN, 0600, words.data, words.len);
	cpio_end(b);
	if (r == 0 && (buf_error(&words) < 0 || buf_error(b) < 0))
		r = err_set(err, ENOMEM, "out of memory");
	if (r == 0)
		r = check_words(p, &words, err);
	buf_fini(&words);
	return r;
}

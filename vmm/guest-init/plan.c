/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/fcntl.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

/* One more, to tell what is too long. */
static char file[LAUNCH_PLAN_MAX + 1];

static void read_file(struct plan *p)
{
	const int fd = (int)sys_open("/" LAUNCH_PLAN, O_RDONLY | O_CLOEXEC);
	unsigned long len = 0;
	long n;

	if (fd < 0)
		fail("cannot open", "/" LAUNCH_PLAN, fd);
	while ((n = sys_read(fd, file + len, sizeof(file) - len)) > 0)
		len += (unsigned long)n;
	sys_close(fd);
	if (len > LAUNCH_PLAN_MAX)
		fail("too long:", "/" LAUNCH_PLAN, 0);
	p->words = file;
	p->end = file + len;
}

const char *plan_next(const struct plan *p, const char *key, const char **at)
{
	const char *word = *at ? *at + strlen(*at) + 1 : p->words;

	for (; word < p->end; word += strlen(word) + 1) {
		const char *rest = text_behind(word, key);

		if (rest && *rest == '=') {
			*at = word;
			return rest + 1;
		}
	}
	return NULL;
}

/* The only one. */
static const char *value(const struct plan *p, const char *key)
{
	const char *at = NULL;

	return plan_next(p, key, &at);
}

static unsigned list(const struct plan *p, const char *key, const char **words)
{
	const char *at = NULL, *word;
	unsigned n = 0;

	while ((word = plan_next(p, key, &at))) {
		if (n == LAUNCH_WORDS_MAX)
			fail("too many words of", key, 0);
		words[n++] = word;
	}
	return n;
}

void plan_read(struct plan *p)
{
	const char *tty;
	uint32_t bits = 0;

	read_file(p);
	p->root = value(p, "root");
	if (!p->root)
		p->root = "initrd";
	p->user = value(p, "user");
	p->cwd = value(p, "cwd");
	p->hostname = value(p, "hostname");
	p->size = value(p, "size");
	tty = value(p, "tty");
	if (tty && text_number(&tty, &bits))
		p->tty = bits;
	p->argc = list(p, "arg", p->argv);
	p->envc = list(p, "env", p->envp);
	if (p->argc == 0)
		fail("there is no command", "", 0);
}

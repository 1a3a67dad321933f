/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Users by /etc/passwd and /etc/group alone.
 */
#include <asm/fcntl.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

#define FIELDS 7

struct line {
	char *field[FIELDS];
	unsigned n;
};

struct reader {
	int fd;
	unsigned at, len;
	char buf[4096];
	char line[4096];
};

static bool next_byte(struct reader *r, char *ret_c)
{
	if (r->at == r->len) {
		const long n = sys_read(r->fd, r->buf, sizeof(r->buf));

		if (n <= 0)
			return false;
		r->len = (unsigned)n;
		r->at = 0;
	}
	*ret_c = r->buf[r->at++];
	return true;
}

/* What is too long for the buffer is cut off. */
static bool next_line(struct reader *r)
{
	unsigned len = 0;
	bool any = false;
	char c;

	while (next_byte(r, &c)) {
		any = true;
		if (c == '\n')
			break;
		if (len < sizeof(r->line) - 1)
			r->line[len++] = c;
	}
	r->line[len] = '\0';
	return any;
}

static void split(char *text, struct line *l)
{
	l->n = 0;
	while (l->n < FIELDS) {
		l->field[l->n++] = text;
		while (*text && *text != ':')
			text++;
		if (!*text)
			return;
		*text++ = '\0';
	}
}

static void copy(char *dst, unsigned long cap, const char *src)
{
	const unsigned long len = strlen(src);

	if (len >= cap)
		fail("too long:", src, 0);
	memcpy(dst, src, len + 1);
}

static uint32_t number_or_fail(const char *text, const char *of)
{
	uint32_t n = 0;

	if (!text_number(&text, &n) || *text)
		fail("not understood in /etc/passwd or /etc/group:", of, 0);
	return n;
}

static void take(struct user *u, const struct line *l)
{
	copy(u->name, sizeof(u->name), l->field[0]);
	copy(u->home, sizeof(u->home), l->field[5]);
	u->uid = number_or_fail(l->field[2], l->field[0]);
	u->gid = number_or_fail(l->field[3], l->field[0]);
}

/* By name, or by number if @name is one. */
static bool look_up(struct user *u, const char *name)
{
	static struct reader r;
	struct line l;
	bool found = false;

	r.at = r.len = 0;
	r.fd = (int)sys_open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return false;
	while (!found && next_line(&r)) {
		split(r.line, &l);
		found = l.n >= 6 && (text_is(l.field[0], name) ||
				     text_is(l.field[2], name));
	}
	sys_close(r.fd);
	if (found)
		take(u, &l);
	return found;
}

static bool is_member(const char *list, const char *name)
{
	while (*list) {
		const char *rest = text_behind(list, name);

		if (rest && (*rest == ',' || *rest == '\0'))
			return true;
		list = text_find(list, ',');
		if (*list)
			list++;
	}
	return false;
}

static void find_groups(struct user *u)
{
	static struct reader r;
	struct line l;

	r.at = r.len = 0;
	r.fd = (int)sys_open("/etc/group", O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return;
	while (next_line(&r)) {
		split(r.line, &l);
		if (l.n < 4 || !is_member(l.field[3], u->name) ||
		    u->ngroups == sizeof(u->groups) / sizeof(u->groups[0]))
			continue;
		u->groups[u->ngroups++] =
			number_or_fail(l.field[2], l.field[0]);
	}
	sys_close(r.fd);
}

/* "UID" or "UID:GID" that no file has to know. */
static bool by_number(struct user *u, const char *name)
{
	if (!text_number(&name, &u->uid))
		return false;
	u->gid = u->uid;
	if (*name == ':') {
		name++;
		if (!text_number(&name, &u->gid))
			return false;
	}
	copy(u->home, sizeof(u->home), "/");
	return !*name;
}

void user_find(struct user *u, const char *name)
{
	if (look_up(u, name))
		find_groups(u);
	else if (text_is(name, "0") || text_is(name, "root"))
		copy(u->home, sizeof(u->home), "/root");
	else if (!by_number(u, name))
		fail("there is no user", name, 0);
}

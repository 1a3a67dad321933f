/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "core/socket.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/control/client.h"
#include "vmm/launch/registry.h"

/* The socket of the guest of this name; NULL if there is none. */
static char *path_of_guest(const char *name)
{
	AUTO_FREE char *dir = NULL, *path = NULL;

	if (registry_check_name(name, NULL) < 0)
		return NULL;
	dir = registry_dir(getenv("XDG_RUNTIME_DIR"), NULL);
	path = dir ? registry_control_path(dir, name) : NULL;
	return path && access(path, F_OK) == 0 ? take_ptr(&path) : NULL;
}

int ask_init(struct ask *a, const struct settings *s, struct err *err)
{
	int r;

	*a = (struct ask){.settings = s};
	if (!s->operand)
		return err_set(err, EINVAL,
			       "NAME is missing ('moat list' prints them), or "
			       "the PATH of 'moat run --control PATH'");
	a->path = path_of_guest(s->operand);
	if (a->path)
		return 0;
	r = socket_path_check(s->operand, err);
	if (r < 0) {
		err_prefix(err, "PATH");
		return r;
	}
	a->path = strdup(s->operand);
	return a->path ? 0 : err_set(err, ENOMEM, "out of memory");
}

void ask_fini(struct ask *a)
{
	free(a->path);
	a->path = NULL;
}

/* Not before there is an answer. */
static void print_head(struct ask *a, const struct ask_table *t)
{
	if (a->settings->json || !t->head)
		return;
	if (a->tables++)
		putchar('\n');
	t->head();
}

static int print_answer(struct ask *a, struct control_call *c,
			const struct ask_table *t, iova_t *ret_next,
			struct err *err)
{
	struct control_line l;
	int r = control_read(c, &l, err);

	*ret_next = 0;
	if (r == 0)
		print_head(a, t);
	for (; r == 0 && l.kind == t->kind; r = control_read(c, &l, err)) {
		if (a->settings->json)
			control_line_print(&l, stdout);
		else
			t->row(&l);
	}
	if (r < 0 || l.kind == CONTROL_END)
		return r;
	if (l.kind != CONTROL_NEXT)
		return err_set(err, EPROTO, "the answer is not a machine's");
	*ret_next = l.next;
	return 0;
}

int ask_print(struct ask *a, const char *request, const struct ask_table *t,
	      iova_t *ret_next, struct err *err)
{
	struct control_call c;
	int r = control_ask(&c, a->path, request, err);

	if (r == 0)
		r = print_answer(a, &c, t, ret_next, err);
	control_hang_up(&c);
	return r;
}

static bool gone(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET;
}

static int watch(struct ask *a, const char *request, const struct ask_table *t,
		 struct err *err)
{
	const struct timespec second = {.tv_sec = 1};
	bool seen = false;
	iova_t next;
	int r;

	for (;;) {
		r = ask_print(a, request, t, &next, err);
		if (r < 0 || fflush(stdout) != 0)
			break;
		seen = true;
		(void)nanosleep(&second, NULL);
	}
	if (!seen || !gone(r))
		return r;
	err->msg[0] = '\0'; /* the guest has ended */
	return 0;
}

int ask_again(struct ask *a, const char *request, const struct ask_table *t,
	      struct err *err)
{
	iova_t next;

	return a->settings->watch ? watch(a, request, t, err)
				  : ask_print(a, request, t, &next, err);
}

int ask_status(int r, const char *command, struct err *err)
{
	if (r == 0)
		return STATUS_OK;
	err_prefix(err, "%s", command);
	return r == -EINVAL ? STATUS_USAGE : STATUS_HOST;
}

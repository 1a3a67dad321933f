/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/tests/fake_irq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"

/*
 * Wire.
 */

static void line_set(struct irq_line *line, bool level)
{
	struct fake_line *l = container_of(line, struct fake_line, line);

	pthread_mutex_lock(&l->lock);
	l->edges += level && !l->level;
	l->sets++;
	l->level = level;
	pthread_mutex_unlock(&l->lock);
}

static const struct irq_line_ops line_ops = {.set = line_set};

void fake_line_init(struct fake_line *l)
{
	*l = (struct fake_line){.line.ops = &line_ops};
	pthread_mutex_init(&l->lock, NULL);
}

void fake_line_fini(struct fake_line *l)
{
	pthread_mutex_destroy(&l->lock);
}

bool fake_line_level(struct fake_line *l)
{
	bool level;

	pthread_mutex_lock(&l->lock);
	level = l->level;
	pthread_mutex_unlock(&l->lock);
	return level;
}

unsigned fake_line_edges(struct fake_line *l)
{
	unsigned edges;

	pthread_mutex_lock(&l->lock);
	edges = l->edges;
	pthread_mutex_unlock(&l->lock);
	return edges;
}

/*
 * Messages.
 */

static struct fake_msi *to_fake(struct msi_sink *s)
{
	return container_of(s, struct fake_msi, sink);
}

static struct fake_msi_line *find_locked(struct fake_msi *f,
					 const struct msi_line *l)
{
	for (unsigned i = 0; i < FAKE_MSI_LINES_MAX; i++) {
		if (f->lines[i].line == l)
			return &f->lines[i];
	}
	return NULL;
}

static void deliver_locked(struct fake_msi *f, struct fake_msi_line *fl)
{
	if (f->delivered < FAKE_MSI_HISTORY_MAX)
		f->history[f->delivered] = fl->msg;
	f->delivered++;
	fl->raised++;
}

/* KVM's part: a signalled irqfd is a message. */
static void take_fds_locked(struct fake_msi *f)
{
	for (unsigned i = 0; i < FAKE_MSI_LINES_MAX; i++) {
		struct fake_msi_line *fl = &f->lines[i];

		if (!fl->line || !fl->line->live)
			continue;
		if (eventfd_clear(fl->line->fd))
			deliver_locked(f, fl);
		for (unsigned b = 0; b < fl->nbound; b++) {
			if (eventfd_clear(fl->bound[b]))
				deliver_locked(f, fl);
		}
	}
}

static int connect_locked(struct fake_msi *f, struct msi_line *l,
			  struct msi_msg msg)
{
	struct fake_msi_line *fl = find_locked(f, l);

	if (f->connect_error)
		return f->connect_error;
	if (!fl) {
		fl = find_locked(f, NULL);
		if (!fl)
			return -ENOSPC;
		assert(l->gsi == -1 && l->fd == -1);
		l->fd = eventfd_new();
		if (l->fd < 0) {
			int r = l->fd;

			l->fd = -1;
			return r;
		}
		l->gsi = (int)(fl - f->lines);
		*fl = (struct fake_msi_line){.line = l};
	}
	if (fl->connects == 0 || fl->msg.addr != msg.addr ||
	    fl->msg.data != msg.data)
		f->route_updates++;
	fl->msg = msg;
	fl->connects++;
	l->live = true;
	return 0;
}

static int msi_connect(struct msi_sink *s, struct msi_line *l,
		       struct msi_msg msg)
{
	struct fake_msi *f = to_fake(s);
	int r;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	r = connect_locked(f, l, msg);
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void msi_disconnect(struct msi_sink *s, struct msi_line *l)
{
	struct fake_msi *f = to_fake(s);
	struct fake_msi_line *fl;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	fl = find_locked(f, l);
	assert(fl && fl->nbound == 0);
	fl->disconnects++;
	l->live = false;
	pthread_mutex_unlock(&f->lock);
}

static void msi_release(struct msi_sink *s, struct msi_line *l)
{
	struct fake_msi *f = to_fake(s);
	struct fake_msi_line *fl;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	fl = find_locked(f, l);
	if (fl) {
		assert(fl->nbound == 0);
		close(l->fd);
		memset(fl, 0, sizeof(*fl));
	}
	msi_line_init(l, l->requester);
	f->releases++;
	pthread_mutex_unlock(&f->lock);
}

static void msi_raise(struct msi_sink *s, struct msi_line *l)
{
	struct fake_msi *f = to_fake(s);
	struct fake_msi_line *fl;

	pthread_mutex_lock(&f->lock);
	fl = find_locked(f, l);
	assert(fl && l->live);
	deliver_locked(f, fl);
	pthread_mutex_unlock(&f->lock);
}

static int msi_bind(struct msi_sink *s, struct msi_line *l, int fd)
{
	struct fake_msi *f = to_fake(s);
	struct fake_msi_line *fl;
	int r;

	pthread_mutex_lock(&f->lock);
	fl = find_locked(f, l);
	assert(fl && l->live && fl->nbound < FAKE_MSI_BOUND_MAX);
	r = f->bind_error;
	if (r == 0)
		fl->bound[fl->nbound++] = fd;
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void msi_unbind(struct msi_sink *s, struct msi_line *l, int fd)
{
	struct fake_msi *f = to_fake(s);
	struct fake_msi_line *fl;
	unsigned i = 0;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	fl = find_locked(f, l);
	assert(fl && l->live);
	while (i < fl->nbound && fl->bound[i] != fd)
		i++;
	assert(i < fl->nbound);
	fl->bound[i] = fl->bound[--fl->nbound];
	pthread_mutex_unlock(&f->lock);
}

static const struct msi_sink_ops msi_ops = {
	.connect = msi_connect,
	.disconnect = msi_disconnect,
	.release = msi_release,
	.raise = msi_raise,
	.bind = msi_bind,
	.unbind = msi_unbind,
};

void fake_msi_init(struct fake_msi *f)
{
	memset(f, 0, sizeof(*f));
	f->sink.ops = &msi_ops;
	pthread_mutex_init(&f->lock, NULL);
}

void fake_msi_fini(struct fake_msi *f)
{
	for (unsigned i = 0; i < FAKE_MSI_LINES_MAX; i++)
		assert(!f->lines[i].line);
	pthread_mutex_destroy(&f->lock);
}

unsigned fake_msi_raised(struct fake_msi *f, const struct msi_line *l)
{
	const struct fake_msi_line *fl;
	unsigned raised;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	fl = find_locked(f, l);
	raised = fl ? fl->raised : 0;
	pthread_mutex_unlock(&f->lock);
	return raised;
}

unsigned fake_msi_count(struct fake_msi *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	n = f->delivered;
	pthread_mutex_unlock(&f->lock);
	return n;
}

struct msi_msg fake_msi_last(struct fake_msi *f)
{
	struct msi_msg msg = {0};
	unsigned n;

	pthread_mutex_lock(&f->lock);
	take_fds_locked(f);
	n = f->delivered;
	if (n > 0 && n <= FAKE_MSI_HISTORY_MAX)
		msg = f->history[n - 1];
	pthread_mutex_unlock(&f->lock);
	return msg;
}

bool fake_msi_connected(struct fake_msi *f, const struct msi_line *l,
			struct msi_msg *ret_msg)
{
	const struct fake_msi_line *fl;
	bool live;

	pthread_mutex_lock(&f->lock);
	fl = find_locked(f, l);
	live = fl && l->live;
	if (live)
		*ret_msg = fl->msg;
	pthread_mutex_unlock(&f->lock);
	return live;
}

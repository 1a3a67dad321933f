/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vhost_user/redial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/vhost_user/dial.h"
#include "devices/vhost_user/frontend.h"

#define NS_PER_MS UINT64_C(1000000)

/* Between two looks at the socket. */
#define RETRY_MS 100

/* For a server to say all it has to. */
#define HANDSHAKE_MS 5000

static struct vhu *vhu_of(struct vhu_redial *r)
{
	return container_of(r, struct vhu, redial);
}

void vhu_redial_init(struct vhu_redial *r)
{
	*r = (struct vhu_redial){.wake = -1, .trying = -1};
}

/*
 * The time to wait.
 */

void vhu_redial_begin(struct vhu_redial *r)
{
	if (!r->on)
		return;
	r->looking = true;
	r->told = false;
	r->waits = !r->late;
	if (!r->proving)
		loop_timer_set(&r->deadline, r->wait_ms * NS_PER_MS);
	r->proving = true;
	eventfd_signal(r->wake);
}

void vhu_redial_end(struct vhu_redial *r)
{
	r->waits = false;
	r->looking = false;
}

bool vhu_redial_found(struct vhu_redial *r)
{
	const bool looked = r->looking;

	vhu_redial_end(r);
	return looked;
}

void vhu_redial_proven(struct vhu_redial *r)
{
	if (!r->proving)
		return;
	r->proving = r->late = false;
	loop_timer_cancel(&r->deadline);
}

static void on_deadline(struct loop_timer *t)
{
	struct vhu_redial *r = container_of(t, struct vhu_redial, deadline);
	struct vhu *u = vhu_of(r);

	/* One that is there and has nothing to do proves itself by that. */
	if (u->session && vhu_inflight(u) == 0) {
		vhu_redial_proven(r);
		return;
	}
	r->late = true;
	if (!r->waits)
		return;
	r->waits = false;
	u->ops->missed(u);
	vhu_kick_all(u);
}

/*
 * The thread.
 */

/* What @what, with its error, is wrong with a server; once, until another. */
static void tell(struct vhu_redial *r, const struct err *what)
{
	struct vhu *u = vhu_of(r);
	bool told;

	pthread_mutex_lock(&u->d->lock);
	told = r->told;
	r->told = true;
	pthread_mutex_unlock(&u->d->lock);
	if (!told)
		log_warn("%s: the server that is at '%s' now %s", u->d->name,
			 r->path, what->msg);
}

/* Return: false if it is to stop. */
static bool begin_trying(struct vhu_redial *r, int fd)
{
	struct vhu *u = vhu_of(r);
	bool stop;

	pthread_mutex_lock(&u->d->lock);
	stop = r->stop;
	if (!stop)
		r->trying = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&u->d->lock);
	return !stop;
}

static void end_trying(struct vhu_redial *r)
{
	struct vhu *u = vhu_of(r);

	pthread_mutex_lock(&u->d->lock);
	if (r->trying >= 0)
		close(r->trying);
	r->trying = -1;
	pthread_mutex_unlock(&u->d->lock);
}

static int shake_hands(struct vhu_redial *r, int fd, struct err *err)
{
	struct vhu *u = vhu_of(r);
	struct vhu_session *s;
	int e = vhu_session_greet(&s, fd, &r->wants, HANDSHAKE_MS, err);

	if (e < 0)
		return e;
	e = vhu_session_join(s, u->d, err);
	if (e == 0) {
		e = vhu_adopt(u, s);
		if (e < 0)
			(void)err_errno(err, -e, "cannot be listened to");
	}
	if (e < 0)
		vhu_session_free(s);
	return e;
}

/* Return: true if there is a server now. */
static bool try_once(struct vhu_redial *r)
{
	struct err err = {0};
	int fd, e;

	if (vhu_dial(r->path, &fd, NULL) < 0)
		return false;
	if (!begin_trying(r, fd)) {
		close(fd);
		return false;
	}
	e = shake_hands(r, fd, &err);
	end_trying(r);
	/* One that hangs up is on its way down, or not yet up. */
	if (e < 0 && e != -ECONNRESET)
		tell(r, &err);
	return e == 0;
}

static bool look(struct vhu_redial *r, bool *ret_stop)
{
	struct vhu *u = vhu_of(r);
	bool looking;

	pthread_mutex_lock(&u->d->lock);
	looking = r->looking;
	*ret_stop = r->stop;
	pthread_mutex_unlock(&u->d->lock);
	return looking;
}

static void *redial(void *arg)
{
	struct vhu_redial *r = arg;

	for (;;) {
		struct pollfd p = {.fd = r->wake, .events = POLLIN};
		bool stop;
		bool looking = look(r, &stop);

		if (stop)
			return NULL;
		if (looking && try_once(r))
			continue;
		(void)poll(&p, 1, looking ? RETRY_MS : -1);
		(void)eventfd_clear(r->wake);
	}
}

/*
 * Birth and end.
 */

static int make_lists(struct vhu *u)
{
	u->parked = calloc(u->d->nvqs, sizeof(*u->parked));
	if (!u->parked)
		return -ENOMEM;
	for (unsigned i = 0; i < u->d->nvqs; i++)
		list_init(&u->parked[i]);
	return 0;
}

int vhu_redial_start(struct vhu *u, const char *path,
		     const struct vhu_wants *wants, unsigned wait_ms,
		     struct err *err)
{
	struct vhu_redial *r = &u->redial;
	int e = make_lists(u);

	r->path = strdup(path);
	r->wants = *wants;
	r->wait_ms = wait_ms;
	if (!r->path)
		e = -ENOMEM;
	if (e == 0)
		r->wake = e = eventfd_new();
	r->deadline.fn = on_deadline;
	r->deadline.lock = &u->d->lock;
	if (e >= 0)
		e = loop_timer_add(u->d->loop, &r->deadline);
	if (e == 0)
		e = -pthread_create(&r->thread, NULL, redial, r);
	if (e < 0)
		return err_errno(err, -e, "cannot be looked for again");
	(void)pthread_setname_np(r->thread, "redial");
	r->on = true;
	return 0;
}

void vhu_redial_fini(struct vhu *u)
{
	struct vhu_redial *r = &u->redial;

	if (r->on) {
		pthread_mutex_lock(&u->d->lock);
		r->stop = true;
		if (r->trying >= 0)
			(void)shutdown(r->trying, SHUT_RDWR);
		pthread_mutex_unlock(&u->d->lock);
		eventfd_signal(r->wake);
		(void)pthread_join(r->thread, NULL);
	}
	loop_timer_del(&r->deadline);
	/* A deadline that waits for the lock would find r gone. */
	if (u->d->loop)
		loop_barrier(u->d->loop);
	if (r->wake >= 0)
		close(r->wake);
	free(r->path);
	vhu_redial_init(r);
}

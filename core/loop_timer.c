/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"

static struct loop_timer *to_timer(struct loop_watch *w)
{
	return container_of(w, struct loop_timer, watch);
}

/* Setting or cancelling a timer takes an expiry back that nobody has read:
 * then there is nothing to read here. */
static void timer_expired(struct loop_watch *w, uint32_t events)
{
	struct loop_timer *t = to_timer(w);
	uint64_t expiries;

	(void)events;
	if (read(w->fd, &expiries, sizeof(expiries)) == sizeof(expiries))
		t->fn(t);
}

int loop_timer_add(struct loop *l, struct loop_timer *t)
{
	AUTO_CLOSE int fd = -1;
	int r;

	assert(t->fn);
	if (t->watch.loop)
		return -EEXIST;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	t->watch = (struct loop_watch){.fn = timer_expired, .lock = t->lock};
	r = loop_watch_add(l, &t->watch, fd, EPOLLIN);
	if (r < 0) {
		t->watch = (struct loop_watch){0};
		return r;
	}
	(void)take_fd(&fd);
	return 0;
}

static void timer_arm(struct loop_timer *t, uint64_t sec, uint64_t nsec)
{
	const struct itimerspec its = {
		.it_value = {.tv_sec = (time_t)sec, .tv_nsec = (long)nsec},
	};
	int r;

	if (!t->watch.loop)
		return;
	r = timerfd_settime(t->watch.fd, 0, &its, NULL);
	assert(r == 0);
	(void)r;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ns)
{
	/* All zeros would disarm it. */
	delay_ns = max_u64(delay_ns, 1);
	timer_arm(t, delay_ns / 1000000000, delay_ns % 1000000000);
}

void loop_timer_cancel(struct loop_timer *t)
{
	timer_arm(t, 0, 0);
}

void loop_timer_del(struct loop_timer *t)
{
	const int fd = t->watch.fd;

	/* Also when the loop went first and took its watches off. */
	if (!t->watch.fn)
		return;
	loop_watch_del(&t->watch);
	t->watch = (struct loop_watch){0};
	close(fd);
}

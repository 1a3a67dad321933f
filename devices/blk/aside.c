/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/aside.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "devices/blk/engine.h"

static struct blk_io *first(struct list *l)
{
	struct blk_io *io = container_of(l->next, struct blk_io, node);

	list_remove(&io->node);
	return io;
}

static void *work(void *arg)
{
	struct blk_aside *a = arg;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct blk_io *io;

		while (!a->ending && list_empty(&a->todo))
			pthread_cond_wait(&a->changed, &a->lock);
		if (a->ending)
			break;
		io = first(&a->todo);
		pthread_mutex_unlock(&a->lock);
		io->result = blk_io_run(io, a->image);
		pthread_mutex_lock(&a->lock);
		list_append(&a->done, &io->node);
		eventfd_signal(a->done_fd);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

void blk_aside_init(struct blk_aside *a, const struct blk_image *image,
		    loop_watch_fn fn, pthread_mutex_t *lock)
{
	*a = (struct blk_aside){
		.image = image,
		.watch = {.fn = fn, .lock = lock},
		.done_fd = -1,
	};
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	list_init(&a->todo);
	list_init(&a->done);
}

void blk_aside_fini(struct blk_aside *a)
{
	struct loop *l = a->watch.loop;

	if (l) {
		loop_watch_del(&a->watch);
		loop_barrier(l);
	}
	pthread_mutex_lock(&a->lock);
	a->ending = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (a->running)
		pthread_join(a->thread, NULL);
	if (a->done_fd >= 0)
		close(a->done_fd);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
}

static int start_thread(struct blk_aside *a)
{
	sigset_t all, old;
	int r;

	/* Signals are others' business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&a->thread, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static int start(struct blk_aside *a, struct loop *l)
{
	int r = 0;

	if (a->done_fd < 0)
		r = a->done_fd = eventfd_new();
	if (r >= 0 && !a->watch.loop)
		r = loop_watch_add(l, &a->watch, a->done_fd, EPOLLIN | EPOLLET);
	if (r >= 0)
		r = start_thread(a);
	if (r < 0)
		return r;
	pthread_setname_np(a->thread, "discard");
	a->running = true;
	return 0;
}

int blk_aside_put(struct blk_aside *a, struct loop *l, struct blk_io *io)
{
	int r = a->running ? 0 : start(a, l);

	if (r < 0)
		return r;
	pthread_mutex_lock(&a->lock);
	list_append(&a->todo, &io->node);
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

void blk_aside_cancel(struct blk_aside *a)
{
	pthread_mutex_lock(&a->lock);
	while (!list_empty(&a->todo)) {
		struct blk_io *io = first(&a->todo);

		io->result = -ECANCELED;
		list_append(&a->done, &io->node);
		eventfd_signal(a->done_fd);
	}
	pthread_mutex_unlock(&a->lock);
}

struct blk_io *blk_aside_take(struct blk_aside *a)
{
	struct blk_io *io;

	pthread_mutex_lock(&a->lock);
	io = list_empty(&a->done) ? NULL : first(&a->done);
	pthread_mutex_unlock(&a->lock);
	return io;
}

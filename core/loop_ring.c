/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The loop's io_uring: one system call puts in what devices want and waits for
 * whatever comes first.
 *
 * Doorbells (EPOLLET) are polled in it, for good (multishot): a kick is an
 * entry in the ring and no call of its own.  So are watches with @often, once
 * and anew before each wait, so that what is still ready then is reported
 * again.  Everything else stays with epoll, whose descriptor the ring polls in
 * the same way.
 *
 * The submission side belongs to the thread that runs the loop.  Others leave
 * word (@dirty) and wake it.
 */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/loop_priv.h"

#define ENTRIES	   512
#define CQ_ENTRIES 4096
/* Files of devices at a time; the next one goes without a number. */
#define FILES 64

/* How long to leave a kernel alone that had no memory for a submission. */
#define PAUSE_MS 1

/* What user data is: a struct loop_io, else by its lowest bits. */
#define TAG_MASK  UINT64_C(7)
#define TAG_WATCH UINT64_C(1)
#define TAG_EPOLL UINT64_C(2)
#define TAG_NONE  UINT64_C(3) /* nobody waits for it */
#define TAG_ONCE  UINT64_C(4) /* as TAG_WATCH, for one event */

struct loop_ring {
	struct loop *loop;
	struct io_uring ring;
	/* Slots that have changed, under the loop's lock; LOOP_NONE: none. */
	_Atomic unsigned dirty;
	/* Slots whose poll came to its end, and that want another. */
	unsigned ended;
	/* TAG_ONCE that the kernel has; each has hold of its file. */
	unsigned once;
	bool epoll_polled;
	bool files_made;
	bool files[FILES];
	/* Done while nobody ran the loop, oldest first. */
	struct loop_io *late, **late_end;
};

/*
 * Watches.
 */

static uint64_t poll_tag(uint32_t poll, unsigned slot, bool once)
{
	return (uint64_t)poll << 32 | (uint64_t)slot << 3 |
	       (once ? TAG_ONCE : TAG_WATCH);
}

static bool is_poll(uint64_t tag)
{
	return (tag & TAG_MASK) == TAG_WATCH || (tag & TAG_MASK) == TAG_ONCE;
}

static unsigned tag_slot(uint64_t tag)
{
	return (uint32_t)tag >> 3;
}

static bool submit(struct loop_ring *r, unsigned wait)
{
	int n = io_uring_submit_and_wait(&r->ring, wait);

	return n >= 0 || n == -EINTR;
}

static struct io_uring_sqe *get(struct loop_ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (sqe)
		return sqe;
	(void)submit(r, 0);
	return io_uring_get_sqe(&r->ring);
}

void loop_ring_changed(struct loop_ring *r, unsigned i)
{
	struct loop_slot *s = loop_slot(r->loop, i);

	if (!s->dirty) {
		s->dirty = true;
		s->next_dirty = atomic_load(&r->dirty);
		atomic_store(&r->dirty, i);
	}
	if (!loop_is_mine(r->loop))
		eventfd_signal(r->loop->wake_fd);
}

/* More than is wanted does no harm: wanted() has the last word. */
static bool polled_right(const struct loop *l, const struct loop_slot *s,
			 unsigned i)
{
	return !s->again && s->poll_generation == loop_id(l, i) >> 32 &&
	       (s->events & ~s->poll_events) == 0;
}

/* Its events, if they come yet, are nobody's. */
static bool end_poll(struct loop_ring *r, struct loop_slot *s)
{
	struct io_uring_sqe *sqe = get(r);

	if (!sqe)
		return false;
	io_uring_prep_poll_remove(sqe, s->poll_id);
	io_uring_sqe_set_data64(sqe, TAG_NONE);
	s->polled = false;
	s->poll_id = 0;
	return true;
}

static bool begin_poll(struct loop_ring *r, struct loop_slot *s, unsigned i)
{
	const struct loop_watch *w = atomic_load(&s->w);
	const uint32_t events = s->events;
	struct io_uring_sqe *sqe = get(r);

	if (!sqe)
		return false;
	if (events & EPOLLET) {
		io_uring_prep_poll_multishot(sqe, w->fd, POLLIN);
	} else {
		io_uring_prep_poll_add(sqe, w->fd, events);
		r->once++;
	}
	s->poll_id = poll_tag(++s->polls, i, !(events & EPOLLET));
	s->poll_events = events;
	s->poll_generation = (uint32_t)(loop_id(r->loop, i) >> 32);
	s->polled = true;
	io_uring_sqe_set_data64(sqe, s->poll_id);
	return true;
}

/* Begin to poll, or end it, as the slot says.  False: later. */
static bool sync_slot_locked(struct loop_ring *r, unsigned i)
{
	struct loop_slot *s = loop_slot(r->loop, i);
	const bool wanted = atomic_load(&s->w) && s->rung && s->events;

	if (s->polled && !polled_right(r->loop, s, i) && !end_poll(r, s))
		return false;
	s->again = false;
	return s->polled || !wanted || begin_poll(r, s, i);
}

/* One of either list; what has no room waits for the next round. */
static bool sync_next_locked(struct loop_ring *r)
{
	const unsigned dirty = atomic_load(&r->dirty);

	if (r->ended != LOOP_NONE) {
		if (!sync_slot_locked(r, r->ended))
			return false;
		r->ended = loop_slot(r->loop, r->ended)->next_ended;
		return true;
	}
	if (dirty == LOOP_NONE || !sync_slot_locked(r, dirty))
		return false;
	loop_slot(r->loop, dirty)->dirty = false;
	atomic_store(&r->dirty, loop_slot(r->loop, dirty)->next_dirty);
	return true;
}

static void sync_slots(struct loop_ring *r)
{
	struct loop *l = r->loop;

	if (r->ended == LOOP_NONE && atomic_load(&r->dirty) == LOOP_NONE)
		return;
	pthread_mutex_lock(&l->lock);
	while (sync_next_locked(r))
		;
	pthread_mutex_unlock(&l->lock);
}

static void poll_epoll(struct loop_ring *r)
{
	struct io_uring_sqe *sqe;

	if (r->epoll_polled)
		return;
	sqe = get(r);
	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, r->loop->epoll_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, TAG_EPOLL);
	r->epoll_polled = true;
}

/*
 * Something has come of a poll.
 * Return: whose it was; LOOP_NONE if that has ended since.
 */
static unsigned polled_slot(struct loop_ring *r, uint64_t tag, bool more)
{
	const unsigned i = tag_slot(tag);
	struct loop_slot *s = loop_slot(r->loop, i);

	if ((tag & TAG_MASK) == TAG_ONCE)
		r->once--;
	if (s->poll_id != tag)
		return LOOP_NONE;
	if (more)
		return i;
	s->polled = false;
	s->poll_id = 0;
	s->next_ended = r->ended;
	r->ended = i;
	return i;
}

static void on_poll(struct loop_ring *r, const struct io_uring_cqe *cqe)
{
	const unsigned i =
		polled_slot(r, cqe->user_data, cqe->flags & IORING_CQE_F_MORE);
	struct loop_slot *s;

	if (i == LOOP_NONE || cqe->res <= 0)
		return;
	s = loop_slot(r->loop, i);
	loop_dispatch(r->loop, (uint64_t)s->poll_generation << 32 | i,
		      (uint32_t)cqe->res);
}

/*
 * Completions.
 */

static void io_done(struct loop *l, struct loop_io *io, int32_t result)
{
	struct loop_io_user *u = io->user;

	loop_hold(l, u->lock);
	assert(u->pending > 0);
	u->pending--;
	if (u->closed) {
		if (u->pending == 0)
			(void)pthread_cond_signal(&u->idle);
		return;
	}
	if (l->batch != u) {
		/* The same lock, another user. */
		if (l->batch)
			l->batch->batch_done(l->batch);
		l->batch = u;
	}
	u->done(u, io, result);
}

static void take_late(struct loop_ring *r)
{
	while (r->late && !loop_stopping(r->loop)) {
		struct loop_io *io = r->late;

		r->late = io->next;
		if (!r->late)
			r->late_end = &r->late;
		io_done(r->loop, io, io->result);
	}
}

/* Return: epoll has something. */
static bool complete(struct loop_ring *r, const struct io_uring_cqe *cqe)
{
	const uint64_t data = cqe->user_data;

	switch (data & TAG_MASK) {
	case TAG_EPOLL:
		r->epoll_polled = false;
		return cqe->res > 0;
	case TAG_WATCH:
	case TAG_ONCE:
		on_poll(r, cqe);
		return false;
	case TAG_NONE:
		return false;
	}
	io_done(r->loop, (struct loop_io *)(uintptr_t)data, cqe->res);
	return false;
}

/* What a stop leaves in the ring is there when the loop runs again. */
static bool take_all(struct loop_ring *r)
{
	struct io_uring_cqe *cqe;
	bool epoll = false;

	take_late(r);
	while (!loop_stopping(r->loop) &&
	       io_uring_peek_cqe(&r->ring, &cqe) == 0) {
		const struct io_uring_cqe copy = {
			.user_data = cqe->user_data,
			.res = cqe->res,
			.flags = cqe->flags,
		};

		io_uring_cqe_seen(&r->ring, cqe);
		epoll = complete(r, &copy) || epoll;
	}
	return epoll;
}

void loop_ring_round(struct loop *l)
{
	struct loop_ring *r = l->ring;
	bool epoll;

	sync_slots(r);
	poll_epoll(r);
	/* Without memory in the kernel: what needs none goes on. */
	if (!submit(r, r->late ? 0 : 1))
		loop_epoll(l, PAUSE_MS);
	loop_pin(l);
	epoll = take_all(r);
	loop_unpin(l);
	if (epoll && !loop_stopping(l))
		loop_epoll(l, 0);
}

/*
 * Users.
 */

static int file_number(struct loop_ring *r, int fd)
{
	struct loop *l = r->loop;
	int n = -1;

	pthread_mutex_lock(&l->lock);
	for (int i = 0; fd >= 0 && r->files_made && n < 0 && i < FILES; i++) {
		if (r->files[i])
			continue;
		if (io_uring_register_files_update(&r->ring, (unsigned)i, &fd,
						   1) != 1)
			break;
		r->files[i] = true;
		n = i;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

static void file_forget(struct loop_ring *r, int n)
{
	struct loop *l = r->loop;
	int none = -1;

	if (n < 0)
		return;
	pthread_mutex_lock(&l->lock);
	(void)io_uring_register_files_update(&r->ring, (unsigned)n, &none, 1);
	r->files[n] = false;
	pthread_mutex_unlock(&l->lock);
}

int loop_io_open(struct loop *l, struct loop_io_user *u)
{
	if (!l->ring)
		return -ENOSYS;
	u->loop = l;
	u->pending = 0;
	u->closed = false;
	(void)pthread_cond_init(&u->idle, NULL);
	for (unsigned i = 0; i < LOOP_IO_FILES; i++)
		u->files[i] = file_number(l->ring, u->fds[i]);
	return 0;
}

/* Nobody runs the loop: what others get meanwhile is kept for them. */
static void keep(struct loop_ring *r, const struct loop_io_user *closing,
		 struct loop_io *io, int32_t result)
{
	if (io->user == closing) {
		io->user->pending--;
		return;
	}
	io->result = result;
	io->next = NULL;
	*r->late_end = io;
	r->late_end = &io->next;
}

static void miss_poll(struct loop_ring *r, uint64_t tag, bool more)
{
	const unsigned i = polled_slot(r, tag, more);

	if (i == LOOP_NONE || !more)
		return;
	pthread_mutex_lock(&r->loop->lock);
	loop_slot(r->loop, i)->again = true;
	loop_ring_changed(r, i);
	pthread_mutex_unlock(&r->loop->lock);
}

/* Wait, and dispatch nothing.  False: the kernel has no memory. */
static bool miss_round(struct loop_ring *r, const struct loop_io_user *closing)
{
	const bool ok = submit(r, 1);
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&r->ring, &cqe) == 0) {
		const uint64_t data = cqe->user_data;
		const int32_t result = cqe->res;
		bool more = cqe->flags & IORING_CQE_F_MORE;

		io_uring_cqe_seen(&r->ring, cqe);
		if ((data & TAG_MASK) == TAG_EPOLL)
			r->epoll_polled = false;
		else if (is_poll(data))
			miss_poll(r, data, more);
		else if ((data & TAG_MASK) == 0)
			keep(r, closing, (struct loop_io *)(uintptr_t)data,
			     result);
	}
	return ok;
}

static void drain(struct loop_ring *r, struct loop_io_user *u)
{
	struct loop_io *late = r->late;

	r->late = NULL;
	r->late_end = &r->late;
	while (late) {
		struct loop_io *io = late;

		late = io->next;
		keep(r, u, io, io->result);
	}
	while (u->pending > 0)
		(void)miss_round(r, u);
}

/* What wants more is polled again in the next round. */
void loop_ring_rest(struct loop_ring *r)
{
	struct loop *l = r->loop;

	pthread_mutex_lock(&l->lock);
	for (unsigned i = 0; i < l->nslots && r->once > 0; i++) {
		struct loop_slot *s = loop_slot(l, i);

		if ((s->poll_id & TAG_MASK) == TAG_ONCE && end_poll(r, s))
			loop_ring_changed(r, i);
	}
	pthread_mutex_unlock(&l->lock);
	while (r->once > 0 && miss_round(r, NULL))
		;
}

void loop_io_close(struct loop_io_user *u)
{
	struct loop *l = u->loop;

	if (!l)
		return;
	if (atomic_load(&l->running) && !loop_is_mine(l)) {
		pthread_mutex_lock(u->lock);
		u->closed = true;
		while (u->pending > 0)
			(void)pthread_cond_wait(&u->idle, u->lock);
		pthread_mutex_unlock(u->lock);
		loop_barrier(l);
	} else {
		drain(l->ring, u);
	}
	for (unsigned i = 0; i < LOOP_IO_FILES; i++)
		file_forget(l->ring, u->files[i]);
	(void)pthread_cond_destroy(&u->idle);
	u->loop = NULL;
}

struct io_uring_sqe *loop_io_get(struct loop_io_user *u)
{
	return get(u->loop->ring);
}

void loop_io_put(struct loop_io_user *u, struct io_uring_sqe *sqe,
		 struct loop_io *io)
{
	for (unsigned i = 0; i < LOOP_IO_FILES; i++) {
		if (u->files[i] < 0 || sqe->fd != u->fds[i])
			continue;
		sqe->fd = u->files[i];
		io_uring_sqe_set_flags(sqe, sqe->flags | IOSQE_FIXED_FILE);
		break;
	}
	io->user = u;
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)io);
	u->pending++;
}

bool loop_io_here(const struct loop_io_user *u)
{
	return loop_is_mine(u->loop);
}

/*
 * Life.
 */

static int make(struct loop_ring *r)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = CQ_ENTRIES,
	};
	int rc = io_uring_queue_init_params(ENTRIES, &r->ring, &p);

	if (rc < 0)
		return rc;
	/* As old as multishot polls; entries are never lost. */
	if (p.features & IORING_FEAT_RSRC_TAGS &&
	    p.features & IORING_FEAT_NODROP)
		return 0;
	io_uring_queue_exit(&r->ring);
	return -ENOSYS;
}

static void make_files(struct loop_ring *r)
{
	int none[FILES];

	for (unsigned i = 0; i < FILES; i++)
		none[i] = -1;
	r->files_made = io_uring_register_files(&r->ring, none, FILES) == 0;
}

int loop_ring_new(struct loop *l)
{
	struct loop_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->late_end = &r->late;
	r->ended = LOOP_NONE;
	atomic_init(&r->dirty, LOOP_NONE);
	if (make(r) < 0) {
		free(r);
		return 0;
	}
	make_files(r);
	l->ring = r;
	return 0;
}

void loop_ring_free(struct loop_ring *r)
{
	if (!r)
		return;
	io_uring_queue_exit(&r->ring);
	free(r);
}

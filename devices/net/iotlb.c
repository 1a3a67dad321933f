/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/iotlb.h"

#include <errno.h>
#include <string.h>

#include "devices/net/vhost_server.h"

/* Misses that one turn of the loop answers. */
#define TURN 64

void iotlb_init(struct iotlb *t, struct vhost_server *server, unsigned group,
		struct dma *dma)
{
	*t = (struct iotlb){.server = server, .group = group, .dma = dma};
}

void iotlb_begin(struct iotlb *t, bool again)
{
	if (!again)
		memset(t->lost, 0, sizeof(t->lost));
	t->litter = 0;
	/* Before the first hold under which something is given: who waits for
	 * that hold sees it. */
	atomic_store_explicit(&t->live, true, memory_order_seq_cst);
}

/* The word for a miss comes after its update. */
static void answered(struct iotlb *t, bool given)
{
	const struct vhost_server_ops *ops = t->server->ops;

	if (ops->answered)
		ops->answered(t->server, t->group, given);
}

/* A server that never stops to ask is not listened to for ever. */
static void leave_unread(struct iotlb *t)
{
	iova_t at;
	unsigned access;

	for (unsigned n = 0; n < IOTLB_LITTER_MAX; n++) {
		if (t->server->ops->take_miss(t->server, t->group, &at,
					      &access) != 1)
			return;
		if (access)
			answered(t, false);
		t->litter++;
	}
}

void iotlb_end(struct iotlb *t)
{
	const struct vhost_server_ops *ops = t->server->ops;

	atomic_store_explicit(&t->live, false, memory_order_seq_cst);
	leave_unread(t);
	if (t->litter > 0 && ops->drop_questions)
		ops->drop_questions(t->server, t->group, t->litter);
}

/* They have been found after all. */
static void found(struct iotlb *t, const struct dma_extent *e)
{
	for (unsigned i = 0; i < IOTLB_LOST_MAX; i++) {
		if (t->lost[i].at >= e->first && t->lost[i].at <= e->last)
			t->lost[i].access = 0;
	}
}

#define PAGE UINT64_C(4096)
/* Below a page's address. */
#define SUSPECT UINT64_C(1)
#define ASKED	1 /* shift: what it was asked for */

static _Atomic iova_t *given_at(struct iotlb *t, iova_t page)
{
	return &t->given[page / PAGE % IOTLB_GIVEN];
}

/* A translation that begins at @at's page. */
static void note_given(struct iotlb *t, iova_t at, unsigned asked)
{
	const iova_t page = at - at % PAGE;

	if (t->server->forgets_neighbours)
		atomic_store_explicit(given_at(t, page), page | asked << ASKED,
				      memory_order_relaxed);
}

/* Return: is there one that begins at @page? */
static bool suspect(struct iotlb *t, iova_t page)
{
	_Atomic iova_t *given = given_at(t, page);
	iova_t now = atomic_load_explicit(given, memory_order_relaxed);

	return now && now - now % PAGE == page &&
	       atomic_compare_exchange_strong_explicit(given, &now,
						       now | SUSPECT,
						       memory_order_relaxed,
						       memory_order_relaxed);
}

/* What it is about to do, if it asked for both. */
static enum dma_access one_of(unsigned asked)
{
	return asked & DMA_WRITE ? DMA_WRITE : DMA_READ;
}

/* @ret_last: of what has been given.   Return: 0, -EFAULT, -errno. */
static int give(struct iotlb *t, iova_t at, unsigned asked, iova_t *ret_last)
{
	const enum dma_access access = one_of(asked);
	struct dma_extent e;
	struct dma_hold hold;
	int r = dma_extent(t->dma, at, access, &e, &hold);

	if (r < 0)
		return r;
	r = t->server->ops->update(t->server, t->group, at, asked, &e);
	dma_done(&hold);
	if (r < 0)
		return r == -EPIPE ? r : -EIO;
	t->updates++;
	note_given(t, at, asked);
	found(t, &e);
	*ret_last = e.last;
	return 0;
}

/*
 * Have it reported, as for any device.
 * Return: -EFAULT; 0 if it is mapped by now.
 */
static int fault(struct iotlb *t, iova_t at, enum dma_access access)
{
	struct iovec iov;
	struct dma_hold hold = {0};
	int r = dma_iov(t->dma, access, at, 1, &iov, 1, &hold);

	dma_done(&hold);
	return r < 0 ? r : 0;
}

int iotlb_give(struct iotlb *t, iova_t at, uint64_t len, unsigned asked)
{
	const iova_t last = at + (len - 1);
	iova_t end;

	for (;;) {
		int r = give(t, at, asked, &end);

		if (r == -EFAULT)
			(void)fault(t, at, one_of(asked));
		if (r < 0 || end >= last)
			return r;
		at = end + 1;
	}
}

static struct iotlb_lost *find_lost(struct iotlb *t, iova_t at, unsigned access)
{
	for (unsigned i = 0; i < IOTLB_LOST_MAX; i++) {
		if (t->lost[i].at == at && t->lost[i].access == access)
			return &t->lost[i];
	}
	return NULL;
}

/*
 * There is no mapping.  The server may have asked before it was taken away:
 * only if it asks after we have seen that, is it the guest's fault.
 */
static int lose(struct iotlb *t, iova_t at, unsigned asked)
{
	const struct iotlb_lost *l = find_lost(t, at, asked);
	iova_t unused;

	t->litter++;
	if (l && l->again) {
		int r = fault(t, at, one_of(asked));

		return r < 0 ? r : give(t, at, asked, &unused);
	}
	if (!l)
		t->lost[t->next_lost++ % IOTLB_LOST_MAX] =
			(struct iotlb_lost){.at = at, .access = asked};
	return 0;
}

static int miss(struct iotlb *t, iova_t at, unsigned asked)
{
	iova_t unused;
	int r;

	/* Nobody waits for the answer any more. */
	if (!atomic_load_explicit(&t->live, memory_order_relaxed))
		return 0;
	t->misses++;
	r = give(t, at, asked, &unused);
	return r == -EFAULT || r == -ENOMEM ? lose(t, at, asked) : r;
}

/* Everything that was asked has been read: what comes now is new.
 * Return: 1 if there is something to ask for again. */
static int look_again(struct iotlb *t)
{
	int again = 0;

	for (unsigned i = 0; i < IOTLB_LOST_MAX; i++) {
		struct iotlb_lost *l = &t->lost[i];

		again |= l->access && !l->again;
		l->again = true;
	}
	return again;
}

int iotlb_answer(struct iotlb *t, iova_t *ret_at)
{
	for (unsigned n = 0; n < TURN; n++) {
		const uint64_t before = t->updates;
		unsigned access;
		int r = t->server->ops->take_miss(t->server, t->group, ret_at,
						  &access);

		if (r == -EAGAIN)
			return look_again(t);
		if (r < 0)
			return r;
		if (!access)
			continue;
		r = miss(t, *ret_at, access);
		answered(t, t->updates > before);
		if (r < 0)
			return r;
	}
	return 0;
}

int iotlb_give_again(struct iotlb *t)
{
	int r = 0;

	if (!atomic_load_explicit(&t->live, memory_order_relaxed))
		return 0;
	for (unsigned i = 0; i < IOTLB_GIVEN && r == 0; i++) {
		iova_t page = atomic_load_explicit(&t->given[i],
						   memory_order_relaxed);
		iova_t unused;

		if (!(page & SUSPECT))
			continue;
		atomic_store_explicit(&t->given[i], 0, memory_order_relaxed);
		r = give(t, page - page % PAGE, page % PAGE >> ASKED, &unused);
		/* It has gone, which is nobody's fault. */
		if (r == -EFAULT || r == -ENOMEM)
			r = 0;
	}
	return r;
}

bool iotlb_forget(struct iotlb *t, const struct range *r, unsigned n)
{
	bool again = false;

	if (!atomic_load_explicit(&t->live, memory_order_seq_cst))
		return false;
	atomic_fetch_add_explicit(&t->invalidations, n, memory_order_relaxed);
	t->server->ops->forget(t->server, t->group, r, n);
	for (unsigned i = 0; t->server->forgets_neighbours && i < n; i++)
		again |= r[i].last < UINT64_MAX && suspect(t, r[i].last + 1);
	return again;
}

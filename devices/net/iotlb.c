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

void iotlb_begin(struct iotlb *t)
{
	memset(t->lost, 0, sizeof(t->lost));
	t->litter = 0;
	/* Before the first hold under which something is given: who waits for
	 * that hold sees it. */
	atomic_store_explicit(&t->live, true, memory_order_seq_cst);
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

/* @ret_last: of what has been given.   Return: 0, -EFAULT, -errno. */
static int give(struct iotlb *t, iova_t at, enum dma_access access,
		iova_t *ret_last)
{
	struct dma_extent e;
	struct dma_hold hold;
	int r = dma_extent(t->dma, at, access, &e, &hold);

	if (r < 0)
		return r;
	r = t->server->ops->update(t->server, t->group, at, &e);
	dma_done(&hold);
	if (r < 0)
		return -EIO;
	t->updates++;
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

int iotlb_give(struct iotlb *t, iova_t at, uint64_t len, enum dma_access access)
{
	const iova_t last = at + (len - 1);
	iova_t end;

	for (;;) {
		int r = give(t, at, access, &end);

		if (r == -EFAULT)
			(void)fault(t, at, access);
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
static int lose(struct iotlb *t, iova_t at, enum dma_access access)
{
	const struct iotlb_lost *l = find_lost(t, at, access);
	iova_t unused;

	t->litter++;
	if (l && l->again) {
		int r = fault(t, at, access);

		return r < 0 ? r : give(t, at, access, &unused);
	}
	if (!l)
		t->lost[t->next_lost++ % IOTLB_LOST_MAX] =
			(struct iotlb_lost){.at = at, .access = access};
	return 0;
}

static int miss(struct iotlb *t, iova_t at, unsigned access)
{
	/* One bit: what it is about to do. */
	const enum dma_access a = access & DMA_WRITE ? DMA_WRITE : DMA_READ;
	iova_t unused;
	int r;

	/* Nobody waits for the answer any more. */
	if (!atomic_load_explicit(&t->live, memory_order_relaxed))
		return 0;
	t->misses++;
	r = give(t, at, a, &unused);
	return r == -EFAULT || r == -ENOMEM ? lose(t, at, a) : r;
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
		if (r < 0)
			return r;
	}
	return 0;
}

void iotlb_forget(struct iotlb *t, const struct range *r, unsigned n)
{
	if (!atomic_load_explicit(&t->live, memory_order_seq_cst))
		return;
	atomic_fetch_add_explicit(&t->invalidations, n, memory_order_relaxed);
	t->server->ops->forget(t->server, t->group, r, n);
}

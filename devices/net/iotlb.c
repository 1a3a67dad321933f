/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/iotlb.h"

#include <assert.h>
#include <errno.h>
#include <linux/vhost.h>
#include <string.h>

#include "core/bits.h"
#include "core/log.h"
#include "devices/net/vhost_kernel.h"

static_assert((int)DMA_READ == VHOST_ACCESS_RO &&
		      (int)DMA_WRITE == VHOST_ACCESS_WO,
	      "access of a message");

/* Misses that one turn of the loop answers. */
#define TURN 64

void iotlb_init(struct iotlb *t, struct vhost_kernel *kernel, int fd,
		struct dma *dma)
{
	*t = (struct iotlb){.kernel = kernel, .fd = fd, .dma = dma};
}

void iotlb_begin(struct iotlb *t)
{
	memset(t->lost, 0, sizeof(t->lost));
	t->litter = 0;
	/* Before the first hold under which something is given: who waits for
	 * that hold sees it. */
	atomic_store_explicit(&t->live, true, memory_order_seq_cst);
}

static int say(struct iotlb *t, unsigned type, iova_t at, uint64_t size,
	       const void *host, unsigned access)
{
	const struct vhost_msg_v2 m = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb =
			{
				.iova = at,
				.size = size,
				.uaddr = (uintptr_t)host,
				.perm = (uint8_t)access,
				.type = (uint8_t)type,
			},
	};
	const ssize_t r =
		t->kernel->ops->write(t->kernel, t->fd, &m, sizeof(m));

	if (r < 0)
		return (int)r;
	return r == sizeof(m) ? 0 : -EIO;
}

/* The kernel lets go of a question when there is a translation for it, even
 * one that permits nothing; those are gone when it begins again. */
void iotlb_end(struct iotlb *t)
{
	const iova_t half = UINT64_C(1) << 63;
	struct vhost_msg_v2 unread;
	int r;

	atomic_store_explicit(&t->live, false, memory_order_seq_cst);
	while (t->kernel->ops->read(t->kernel, t->fd, &unread,
				    sizeof(unread)) == sizeof(unread))
		t->litter++;
	if (t->litter == 0)
		return;
	r = say(t, VHOST_IOTLB_UPDATE, 0, half, NULL, 0);
	if (r == 0)
		r = say(t, VHOST_IOTLB_UPDATE, half, half, NULL, 0);
	if (r < 0)
		log_warn("vhost-net keeps %u questions: error %d", t->litter,
			 -r);
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
	r = say(t, VHOST_IOTLB_UPDATE, e.first, e.last - e.first + 1, e.host,
		e.access);
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
 * There is no mapping.  The kernel may have asked before it was taken away:
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
	const enum dma_access a =
		access & VHOST_ACCESS_WO ? DMA_WRITE : DMA_READ;
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
		struct vhost_msg_v2 m;
		ssize_t got =
			t->kernel->ops->read(t->kernel, t->fd, &m, sizeof(m));
		int r;

		if (got == -EAGAIN)
			return look_again(t);
		if (got != sizeof(m))
			return got < 0 ? (int)got : -EIO;
		if (m.type != VHOST_IOTLB_MSG_V2 ||
		    m.iotlb.type != VHOST_IOTLB_MISS)
			continue;
		*ret_at = m.iotlb.iova;
		r = miss(t, m.iotlb.iova, m.iotlb.perm);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without translations, and without the means to have them taken back, it
 * must not go on. */
static void cut_off(struct iotlb *t, int error)
{
	uint16_t unused;

	log_err("vhost-net does not forget translations (error %d): it is "
		"stopped",
		error);
	for (unsigned i = 0; i < 2; i++)
		(void)vhost_end(t->kernel, t->fd, i, &unused);
}

static void forget(struct iotlb *t, iova_t first, iova_t last)
{
	const int r = say(t, VHOST_IOTLB_INVALIDATE, first, last - first + 1,
			  NULL, 0);

	atomic_fetch_add_explicit(&t->invalidations, 1, memory_order_relaxed);
	if (r < 0)
		cut_off(t, -r);
}

void iotlb_forget(struct iotlb *t, const struct range *r, unsigned n)
{
	const iova_t half = UINT64_C(1) << 63;

	if (!atomic_load_explicit(&t->live, memory_order_seq_cst))
		return;
	for (unsigned i = 0; i < n; i++) {
		iova_t first = r[i].first;

		/* A message cannot say 2^64. */
		if (first < half && r[i].last >= half) {
			forget(t, first, half - 1);
			first = half;
		}
		forget(t, first, r[i].last);
	}
}

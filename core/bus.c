/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/bus.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A region that was found, and where inside it the access lies. */
struct hit {
	struct bus_region *r;
	uint64_t off;
};

void bus_init(struct bus *b)
{
	pthread_rwlockattr_t attr;
	int r;

	memset(b, 0, sizeof(*b));
	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	/* Many vCPUs that access all day must not keep a BAR from moving.
	 * Nobody searches while it holds the lock, so this cannot block. */
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	r = pthread_rwlock_init(&b->lock, &attr);
	assert(r == 0);
	(void)r;
	pthread_rwlockattr_destroy(&attr);
}

void bus_fini(struct bus *b)
{
	pthread_rwlock_destroy(&b->lock);
	b->n = 0;
}

static uint64_t last_of(const struct bus_region *r)
{
	return r->base + (r->size - 1);
}

/* Index of the lowest region that ends at @addr or above; b->n if none. */
static unsigned find_locked(const struct bus *b, uint64_t addr)
{
	unsigned lo = 0, hi = b->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (last_of(b->regions[mid]) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int attach_locked(struct bus *b, struct bus_region *r)
{
	uint64_t last;
	unsigned i;

	if (r->attached || r->size == 0 ||
	    __builtin_add_overflow(r->base, r->size - 1, &last))
		return -EINVAL;
	i = find_locked(b, r->base);
	if (i < b->n && b->regions[i]->base <= last)
		return -EEXIST;
	if (b->n == BUS_REGIONS_MAX)
		return -ENOSPC;
	memmove(&b->regions[i + 1], &b->regions[i],
		(b->n - i) * sizeof(b->regions[0]));
	b->regions[i] = r;
	b->n++;
	r->attached = true;
	return 0;
}

int bus_attach(struct bus *b, struct bus_region *r)
{
	int ret;

	pthread_rwlock_wrlock(&b->lock);
	ret = attach_locked(b, r);
	pthread_rwlock_unlock(&b->lock);
	return ret;
}

static void detach_locked(struct bus *b, struct bus_region *r)
{
	unsigned i;

	if (!r->attached)
		return;
	i = find_locked(b, r->base);
	if (i == b->n || b->regions[i] != r)
		return;
	b->n--;
	memmove(&b->regions[i], &b->regions[i + 1],
		(b->n - i) * sizeof(b->regions[0]));
	r->attached = false;
}

void bus_detach(struct bus *b, struct bus_region *r)
{
	pthread_rwlock_wrlock(&b->lock);
	detach_locked(b, r);
	pthread_rwlock_unlock(&b->lock);
}

/*
 * The offset is computed under the lock, too: a region that moves is detached
 * first, and its base must not change between the search and the subtraction.
 */
static bool find(struct bus *b, uint64_t addr, unsigned size,
		 struct hit *ret_hit)
{
	bool found = false;
	unsigned i;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	pthread_rwlock_rdlock(&b->lock);
	i = find_locked(b, addr);
	if (i < b->n && b->regions[i]->base <= addr &&
	    last_of(b->regions[i]) - addr >= size - 1) {
		ret_hit->r = b->regions[i];
		ret_hit->off = addr - b->regions[i]->base;
		found = true;
	}
	pthread_rwlock_unlock(&b->lock);
	return found;
}

static uint64_t mask_of(unsigned size)
{
	return size < 8 ? (UINT64_C(1) << size * 8) - 1 : UINT64_MAX;
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size)
{
	struct hit h;
	uint64_t val;

	if (!find(b, addr, size, &h))
		return mask_of(size);
	if (h.r->lock)
		pthread_mutex_lock(h.r->lock);
	val = h.r->ops->read(h.r, h.off, size);
	if (h.r->lock)
		pthread_mutex_unlock(h.r->lock);
	return val & mask_of(size);
}

bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t val)
{
	struct hit h;

	if (!find(b, addr, size, &h))
		return false;
	if (h.r->lock)
		pthread_mutex_lock(h.r->lock);
	h.r->ops->write(h.r, h.off, size, val & mask_of(size));
	if (h.r->lock)
		pthread_mutex_unlock(h.r->lock);
	return true;
}

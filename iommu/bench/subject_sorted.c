/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A sorted array and binary search, behind a reader-writer lock each for the
 * endpoints, the domain and its mappings: what ordered maps cost at best,
 * without one pointer to chase.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "iommu/bench/subject.h"

#define ENDPOINTS 8

enum { READ = 1, WRITE = 2 };

struct mapping {
	uint64_t first, last, phys;
	uint32_t flags;
};

struct domain {
	bool bypass;
	pthread_rwlock_t lock; /* the mappings */
	struct mapping *maps;
	size_t n, cap;
};

struct sorted {
	struct subject base;
	pthread_rwlock_t endpoints_lock, domain_lock;
	struct {
		uint32_t id;
		struct domain *domain;
	} endpoints[ENDPOINTS];
	struct domain domain;
};

static struct sorted *to_sorted(struct subject *s)
{
	return container_of(s, struct sorted, base);
}

static void sorted_destroy(struct subject *s)
{
	struct sorted *o = to_sorted(s);

	pthread_rwlock_destroy(&o->endpoints_lock);
	pthread_rwlock_destroy(&o->domain_lock);
	pthread_rwlock_destroy(&o->domain.lock);
	free(o->domain.maps);
	free(o);
}

static struct subject *sorted_create(struct gmem *mem)
{
	struct sorted *o = calloc(1, sizeof(*o));

	(void)mem;
	if (!o)
		return NULL;
	o->base.ops = &subject_sorted;
	pthread_rwlock_init(&o->endpoints_lock, NULL);
	pthread_rwlock_init(&o->domain_lock, NULL);
	pthread_rwlock_init(&o->domain.lock, NULL);
	for (uint32_t id = 0; id < ENDPOINTS; id++) {
		o->endpoints[id].id = id;
		o->endpoints[id].domain = &o->domain;
	}
	return &o->base;
}

/* The first mapping that ends at @at or later; d->n if there is none. */
static size_t find(const struct domain *d, iova_t at)
{
	size_t base = 0, n = d->n;

	while (n > 0) {
		size_t half = n / 2;

		if (d->maps[base + half].last < at) {
			base += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return base;
}

static int grow(struct domain *d)
{
	size_t cap = d->cap ? 2 * d->cap : 64;
	struct mapping *maps;

	if (d->n < d->cap)
		return 0;
	maps = realloc(d->maps, cap * sizeof(*maps));
	if (!maps)
		return -1;
	d->maps = maps;
	d->cap = cap;
	return 0;
}

static int insert(struct domain *d, iova_t first, iova_t last, gpa_t phys)
{
	size_t at = find(d, first);

	if ((at < d->n && d->maps[at].first <= last) || grow(d))
		return -1;
	memmove(&d->maps[at + 1], &d->maps[at], (d->n - at) * sizeof(*d->maps));
	d->maps[at] = (struct mapping){first, last, phys, READ | WRITE};
	d->n++;
	return 0;
}

static int sorted_map(struct subject *s, iova_t first, iova_t last, gpa_t phys)
{
	struct sorted *o = to_sorted(s);
	int r;

	pthread_rwlock_rdlock(&o->domain_lock);
	pthread_rwlock_wrlock(&o->domain.lock);
	r = insert(&o->domain, first, last, phys);
	pthread_rwlock_unlock(&o->domain.lock);
	pthread_rwlock_unlock(&o->domain_lock);
	return r;
}

static int erase(struct domain *d, iova_t first, iova_t last)
{
	size_t from = find(d, first), to = from;

	while (to < d->n && d->maps[to].first <= last) {
		if (d->maps[to].first < first || d->maps[to].last > last)
			return -1;
		to++;
	}
	memmove(&d->maps[from], &d->maps[to], (d->n - to) * sizeof(*d->maps));
	d->n -= to - from;
	return 0;
}

static int sorted_unmap(struct subject *s, iova_t first, iova_t last)
{
	struct sorted *o = to_sorted(s);
	int r;

	pthread_rwlock_rdlock(&o->domain_lock);
	pthread_rwlock_wrlock(&o->domain.lock);
	r = erase(&o->domain, first, last);
	pthread_rwlock_unlock(&o->domain.lock);
	pthread_rwlock_unlock(&o->domain_lock);
	return r;
}

static int slices_of(const struct domain *d, iova_t at, iova_t last,
		     struct dma_slice *slices, unsigned max)
{
	size_t k = find(d, at);
	unsigned n = 0;

	for (;; k++) {
		const struct mapping *m = &d->maps[k];
		iova_t end;

		if (k == d->n || m->first > at || !(m->flags & READ))
			return -1;
		end = min_u64(m->last, last);
		if (bench_slice(slices, &n, max, m->phys + (at - m->first),
				end - at + 1))
			return -1;
		if (end == last)
			return (int)n;
		at = end + 1;
	}
}

static struct domain *domain_of(const struct sorted *o, uint32_t endpoint)
{
	for (unsigned k = 0; k < ENDPOINTS; k++)
		if (o->endpoints[k].id == endpoint)
			return o->endpoints[k].domain;
	return NULL;
}

static int sorted_slices(struct subject *s, unsigned user, iova_t at,
			 uint64_t len, struct dma_slice *slices, unsigned max)
{
	struct sorted *o = to_sorted(s);
	struct domain *d;
	int n = -1;

	pthread_rwlock_rdlock(&o->endpoints_lock);
	d = domain_of(o, user);
	pthread_rwlock_unlock(&o->endpoints_lock);
	pthread_rwlock_rdlock(&o->domain_lock);
	if (d && !d->bypass) {
		pthread_rwlock_rdlock(&d->lock);
		n = slices_of(d, at, at + (len - 1), slices, max);
		pthread_rwlock_unlock(&d->lock);
	}
	pthread_rwlock_unlock(&o->domain_lock);
	return n;
}

static uint64_t sorted_run(struct subject *s, unsigned user, const iova_t *at,
			   size_t n, uint64_t len)
{
	struct dma_slice slices[BENCH_SLICES];
	uint64_t sum = 1;

	for (size_t k = 0; k < n; k++) {
		int pieces = sorted_slices(s, user, at[k], len, slices,
					   BENCH_SLICES);

		if (pieces <= 0)
			return 0;
		sum += slices[pieces - 1].at;
	}
	return sum;
}

const struct subject_ops subject_sorted = {
	.name = "sorted",
	.fill_in_order = true,
	.create = sorted_create,
	.destroy = sorted_destroy,
	.map = sorted_map,
	.unmap = sorted_unmap,
	.slices = sorted_slices,
	.run = sorted_run,
};

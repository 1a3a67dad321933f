/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * glib's balanced tree of intervals, one allocation for a key and one for a
 * mapping, everything under one recursive mutex; endpoints in a tree of their
 * own.  This is how QEMU's device stores mappings.
 */
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/bits.h"
#include "iommu/bench/subject.h"

/* A machine has some endpoints, whichever is asked for. */
#define ENDPOINTS 8

enum { READ = 1, WRITE = 2 };

struct interval {
	uint64_t low, high;
};

struct mapping {
	uint64_t phys;
	uint32_t flags;
};

struct gtree {
	struct subject base;
	pthread_mutex_t lock;
	GTree *endpoints; /* id -> the domain's mappings */
	GTree *mappings;  /* struct interval -> struct mapping */
};

static struct gtree *to_gtree(struct subject *s)
{
	return container_of(s, struct gtree, base);
}

static gint compare_ids(gconstpointer a, gconstpointer b, gpointer unused)
{
	(void)unused;
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* Intervals that overlap are the same. */
static gint compare_intervals(gconstpointer a, gconstpointer b, gpointer unused)
{
	const struct interval *ia = a, *ib = b;

	(void)unused;
	if (ia->high < ib->low)
		return -1;
	return ib->high < ia->low;
}

static void gtree_destroy(struct subject *s)
{
	struct gtree *g = to_gtree(s);

	g_tree_destroy(g->endpoints);
	g_tree_destroy(g->mappings);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static struct subject *gtree_create(struct gmem *mem)
{
	struct gtree *g = calloc(1, sizeof(*g));
	pthread_mutexattr_t attr;

	(void)mem;
	if (!g)
		return NULL;
	g->base.ops = &subject_gtree;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&g->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	g->endpoints = g_tree_new_full(compare_ids, NULL, NULL, NULL);
	g->mappings = g_tree_new_full(compare_intervals, NULL, g_free, g_free);
	for (uintptr_t id = 0; id < ENDPOINTS; id++)
		g_tree_insert(g->endpoints, (gpointer)id, g->mappings);
	return &g->base;
}

static int gtree_map(struct subject *s, iova_t first, iova_t last, gpa_t phys)
{
	struct gtree *g = to_gtree(s);
	struct interval *interval = g_new(struct interval, 1);
	struct mapping *mapping = g_new(struct mapping, 1);
	int r = -1;

	*interval = (struct interval){first, last};
	*mapping = (struct mapping){phys, READ | WRITE};
	pthread_mutex_lock(&g->lock);
	if (!g_tree_lookup(g->mappings, interval)) {
		g_tree_insert(g->mappings, interval, mapping);
		r = 0;
	}
	pthread_mutex_unlock(&g->lock);
	if (r) {
		g_free(interval);
		g_free(mapping);
	}
	return r;
}

/* Takes out what overlaps, one by one, unless it sticks out. */
static int gtree_unmap(struct subject *s, iova_t first, iova_t last)
{
	struct gtree *g = to_gtree(s);
	struct interval range = {first, last};
	gpointer key, value;
	int r = 0;

	pthread_mutex_lock(&g->lock);
	while (r == 0 &&
	       g_tree_lookup_extended(g->mappings, &range, &key, &value)) {
		const struct interval *found = key;

		if (found->low < first || found->high > last)
			r = -1;
		else
			g_tree_remove(g->mappings, key);
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

/* Caller holds g->lock. */
static int translate(struct gtree *g, unsigned user, iova_t at, uint64_t len,
		     struct dma_slice *slices, unsigned max)
{
	GTree *mappings =
		g_tree_lookup(g->endpoints, (gpointer)(uintptr_t)user);
	const iova_t last = at + (len - 1);
	unsigned n = 0;

	if (!mappings)
		return -1;
	for (;;) {
		struct interval byte = {at, at};
		gpointer key, value;
		const struct interval *found;
		const struct mapping *mapping;
		iova_t end;

		if (!g_tree_lookup_extended(mappings, &byte, &key, &value))
			return -1;
		found = key;
		mapping = value;
		end = min_u64(found->high, last);
		if (!(mapping->flags & READ) ||
		    bench_slice(slices, &n, max,
				mapping->phys + (at - found->low),
				end - at + 1))
			return -1;
		if (end == last)
			return (int)n;
		at = end + 1;
	}
}

static int gtree_slices(struct subject *s, unsigned user, iova_t at,
			uint64_t len, struct dma_slice *slices, unsigned max)
{
	struct gtree *g = to_gtree(s);
	int n;

	pthread_mutex_lock(&g->lock);
	n = translate(g, user, at, len, slices, max);
	pthread_mutex_unlock(&g->lock);
	return n;
}

static uint64_t gtree_run(struct subject *s, unsigned user, const iova_t *at,
			  size_t n, uint64_t len)
{
	struct dma_slice slices[BENCH_SLICES];
	uint64_t sum = 1;

	for (size_t k = 0; k < n; k++) {
		int pieces =
			gtree_slices(s, user, at[k], len, slices, BENCH_SLICES);

		if (pieces <= 0)
			return 0;
		sum += slices[pieces - 1].at;
	}
	return sum;
}

const struct subject_ops subject_gtree = {
	.name = "gtree",
	.create = gtree_create,
	.destroy = gtree_destroy,
	.map = gtree_map,
	.unmap = gtree_unmap,
	.slices = gtree_slices,
	.run = gtree_run,
};

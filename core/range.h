/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * range.h - a set of disjoint intervals, and aligned space out of a window.
 *
 * Intervals are (first, last), both inclusive, so that the topmost byte of a
 * 64-bit space can be in one.  Neighbours are kept apart: what went in as two
 * comes out as two.
 *
 * Sized for tens of entries (BARs, memory map); a sorted array.
 */
#ifndef MOAT_CORE_RANGE_H
#define MOAT_CORE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t first, last;
};

struct range_set {
	struct range *items; /* ascending */
	size_t n, cap;
};

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.first <= b.last && b.first <= a.last;
}

void range_set_init(struct range_set *s);
void range_set_fini(struct range_set *s);

/*
 * range_set_add - put [first, last] in.
 *
 * Return: 0; -EINVAL if first > last; -EEXIST if it overlaps an entry;
 * -ENOMEM.
 */
int range_set_add(struct range_set *s, uint64_t first, uint64_t last);

/* Return: 0; -ENOENT if exactly this interval is not in. */
int range_set_remove(struct range_set *s, uint64_t first, uint64_t last);

bool range_set_overlaps(const struct range_set *s, uint64_t first,
			uint64_t last);

/*
 * range_set_alloc - add the lowest free interval of @size bytes in @window.
 * @align: power of two
 * @ret_first: where it is
 *
 * Return: 0; -ENOSPC; -EINVAL if @size is 0; -ENOMEM.
 */
int range_set_alloc(struct range_set *s, struct range window, uint64_t size,
		    uint64_t align, uint64_t *ret_first);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/range.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"

void range_set_init(struct range_set *s)
{
	*s = (struct range_set){0};
}

void range_set_fini(struct range_set *s)
{
	free(s->items);
	*s = (struct range_set){0};
}

/* Index of the lowest entry that ends at @first or above; s->n if none. */
static size_t find(const struct range_set *s, uint64_t first)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->items[mid].last < first)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int make_room(struct range_set *s)
{
	size_t cap = s->cap ? s->cap * 2 : 16;
	struct range *items;

	if (s->n < s->cap)
		return 0;
	items = reallocarray(s->items, cap, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	s->cap = cap;
	return 0;
}

int range_set_add(struct range_set *s, uint64_t first, uint64_t last)
{
	size_t i = find(s, first);
	int r;

	if (first > last)
		return -EINVAL;
	if (i < s->n && s->items[i].first <= last)
		return -EEXIST;
	r = make_room(s);
	if (r < 0)
		return r;
	memmove(&s->items[i + 1], &s->items[i], (s->n - i) * sizeof(*s->items));
	s->items[i] = (struct range){first, last};
	s->n++;
	return 0;
}

int range_set_remove(struct range_set *s, uint64_t first, uint64_t last)
{
	size_t i = find(s, first);

	if (i == s->n || s->items[i].first != first || s->items[i].last != last)
		return -ENOENT;
	s->n--;
	memmove(&s->items[i], &s->items[i + 1], (s->n - i) * sizeof(*s->items));
	return 0;
}

bool range_set_overlaps(const struct range_set *s, uint64_t first,
			uint64_t last)
{
	size_t i = find(s, first);

	return first <= last && i < s->n && s->items[i].first <= last;
}

/* Next multiple of @align at or above @v; false past 2^64. */
static bool align_next(uint64_t *v, uint64_t align)
{
	if (__builtin_add_overflow(*v, align - 1, v))
		return false;
	*v = align_down(*v, align);
	return true;
}

int range_set_alloc(struct range_set *s, struct range window, uint64_t size,
		    uint64_t align, uint64_t *ret_first)
{
	uint64_t first = window.first, last;
	int r;

	assert(is_pow2(align));
	if (size == 0)
		return -EINVAL;
	for (size_t i = find(s, first);; i++) {
		if (!align_next(&first, align) ||
		    __builtin_add_overflow(first, size - 1, &last) ||
		    last > window.last)
			return -ENOSPC;
		if (i == s->n || s->items[i].first > last)
			break;
		/* An entry that aligning up has jumped over leads back to the
		 * same place: nothing in between is aligned. */
		if (__builtin_add_overflow(s->items[i].last, 1, &first))
			return -ENOSPC;
	}
	r = range_set_add(s, first, last);
	if (r == 0)
		*ret_first = first;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * list.h - doubly linked list whose nodes are embedded in their objects.
 *
 * A node belongs to at most one list.  Threads: the owner's lock.
 */
#ifndef MOAT_CORE_LIST_H
#define MOAT_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bits.h"

struct list {
	struct list *prev, *next; /* a lone node or an empty head: itself */
};

static inline void list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert(struct list *after, struct list *node)
{
	node->prev = after;
	node->next = after->next;
	after->next->prev = node;
	after->next = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert(head->prev, node);
}

/* Leaves @node alone in a list of its own, so that it may be removed twice. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The body may remove @pos, and nothing else. */
#define list_for_each(pos, head)                                       \
	for (struct list *pos = (head)->next, *pos##_next = pos->next; \
	     pos != (head); pos = pos##_next, pos##_next = pos->next)

#endif

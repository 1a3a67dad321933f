/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb.h - the translations that a server keeps for a group of queues behind
 * an IOMMU.
 *
 * The server asks for an address that it does not know (a miss) by a message,
 * and goes on when it has the answer.  An answer is given under a hold; whoever
 * takes the translation away waits for that, and then has the server forget:
 * iotlb_forget().
 *
 * Threads: under the device's lock, but for iotlb_forget().
 */
#ifndef MOAT_DEVICES_NET_IOTLB_H
#define MOAT_DEVICES_NET_IOTLB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dma.h"
#include "devices/net.h"

struct vhost_server;

/* Addresses with a miss and without a mapping that are remembered.  Each queue
 * of a group stands at one of them at most. */
#define IOTLB_LOST_MAX (2 * NET_QUEUES_MAX)

/* A server keeps a question until it is answered.  With so many that have
 * not been, iotlb_littered(). */
#define IOTLB_LITTER_MAX 1024

/* Translations whose beginning is remembered, of who forgets neighbours: a
 * frame for a buffer that is lost again and again never comes. */
#define IOTLB_GIVEN 256

struct iotlb_lost {
	iova_t at;
	unsigned access; /* 0: none */
	bool again;	 /* the server has been made to look again */
};

struct iotlb {
	struct vhost_server *server;
	unsigned group;
	struct dma *dma;
	_Atomic bool live;
	struct iotlb_lost lost[IOTLB_LOST_MAX];
	unsigned next_lost;
	unsigned litter; /* questions without an answer */
	/* Where they begin, pages by number; with bit 0: perhaps forgotten. */
	_Atomic iova_t given[IOTLB_GIVEN];
	uint64_t misses, updates;
	_Atomic uint64_t invalidations;
};

/* All borrowed; nothing happens yet. */
void iotlb_init(struct iotlb *t, struct vhost_server *server, unsigned group,
		struct dma *dma);

/*
 * iotlb_begin - from here on the server may have translations.
 * iotlb_end - none any more, and it forgets what it has asked; nothing is
 * being served.
 * @again: for the sake of what had no answer (iotlb_answer())
 * iotlb_littered - it is time to end and to begin once more.
 */
void iotlb_begin(struct iotlb *t, bool again);
void iotlb_end(struct iotlb *t);
static inline bool iotlb_littered(const struct iotlb *t)
{
	return t->litter >= IOTLB_LITTER_MAX;
}

/*
 * iotlb_give - translations of all of a range, before they are asked for.
 * @asked: what for, a mask
 * Return: 0; -EFAULT, with the fault reported; -errno.
 */
int iotlb_give(struct iotlb *t, iova_t at, uint64_t len, unsigned asked);

/*
 * iotlb_answer - answer the misses that are there.
 *
 * A miss may have been answered long ago, when several came at once, and the
 * guest have unmapped the page since: that is nobody's fault.  So the server
 * is made to look again before one without a mapping counts.
 *
 * Return: 0; 1: it is to look again (server->asks_again); -EFAULT, with a fault
 * reported; -errno.
 */
int iotlb_answer(struct iotlb *t, iova_t *ret_at);

/* Give once more what may have been forgotten with its neighbours.
 * Return: 0, -errno. */
int iotlb_give_again(struct iotlb *t);

/*
 * iotlb_forget - of the @n ranges; returns when no access by them is under
 * way.  Threads: any.
 *
 * Return: true if it is time for iotlb_give_again().
 */
bool iotlb_forget(struct iotlb *t, const struct range *r, unsigned n);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * stream.h - bytes between a console device and whoever sits at the other
 * end (terminal, file, socket, test).
 *
 * Two ends, joined by stream_join().  Either end sends with
 * stream_send(itself, ...), which calls the peer's deliver().  Nobody blocks:
 * an end that has no room takes fewer bytes and calls stream_room(itself)
 * later, which calls the peer's room().  An end that will neither send nor
 * take any more says so with stream_close(itself).
 *
 * Threads: all three are called from any thread.  The host end
 * guards itself with a leaf lock and never calls back from inside
 * deliver() or room().  A device end takes its device's lock in both, so the host end
 * calls it with no lock of its own held.
 */
#ifndef MOAT_CORE_STREAM_H
#define MOAT_CORE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream_end;

struct stream_ops {
	/* Bytes for you.  Return: how many were taken, 0 to @len. */
	size_t (*deliver)(struct stream_end *e, const uint8_t *buf, size_t len);
	/* The peer, which took too few before, has room again. */
	void (*room)(struct stream_end *e);
	/* The peer has closed: nothing more comes, nothing is taken.
	 * May be NULL: nothing to do. */
	void (*closed)(struct stream_end *e);
};

struct stream_end {
	const struct stream_ops *ops;
	struct stream_end *peer; /* NULL: bytes vanish, nothing comes */
};

static inline void stream_join(struct stream_end *a, struct stream_end *b)
{
	a->peer = b;
	b->peer = a;
}

/* Return: bytes taken; @len when nobody is there. */
static inline size_t stream_send(struct stream_end *e, const uint8_t *buf,
				 size_t len)
{
	return e->peer ? e->peer->ops->deliver(e->peer, buf, len) : len;
}

static inline void stream_room(struct stream_end *e)
{
	if (e->peer)
		e->peer->ops->room(e->peer);
}

static inline void stream_close(struct stream_end *e)
{
	if (e->peer && e->peer->ops->closed)
		e->peer->ops->closed(e->peer);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * For who builds without liburing.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/loop_priv.h"

int loop_ring_new(struct loop *l)
{
	l->ring = NULL;
	return 0;
}

void loop_ring_free(struct loop_ring *r)
{
	assert(!r);
	(void)r;
}

void loop_ring_round(struct loop *l)
{
	(void)l;
	assert(!"no ring");
}

void loop_ring_rest(struct loop_ring *r)
{
	(void)r;
}

void loop_ring_changed(struct loop_ring *r, unsigned i)
{
	(void)r, (void)i;
	assert(!"no ring");
}

int loop_io_open(struct loop *l, struct loop_io_user *u)
{
	(void)l, (void)u;
	return -ENOSYS;
}

void loop_io_close(struct loop_io_user *u)
{
	(void)u;
}

struct io_uring_sqe *loop_io_get(struct loop_io_user *u)
{
	(void)u;
	return NULL;
}

void loop_io_put(struct loop_io_user *u, struct io_uring_sqe *sqe,
		 struct loop_io *io)
{
	(void)u, (void)sqe, (void)io;
	assert(!"no ring");
}

bool loop_io_here(const struct loop_io_user *u)
{
	(void)u;
	return false;
}

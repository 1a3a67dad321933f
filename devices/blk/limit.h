/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * limit.h - how fast a disk may be: bytes and requests a second.
 *
 * Two buckets that fill with time.  A request is let through when neither is
 * empty, and pays afterwards, when its length is known: a bucket may be in
 * debt, and what comes next waits.  So nothing is taken from the ring that has
 * to wait, and no request is too large to pass.
 *
 * Threads: one at a time.
 */
#ifndef MOAT_DEVICES_BLK_LIMIT_H
#define MOAT_DEVICES_BLK_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* A bucket holds what so much time brings. */
#define BLK_LIMIT_BURST_NS UINT64_C(100000000)

/* At most this a second: a terabyte, a thousand million requests. */
#define BLK_LIMIT_BPS_MAX  (UINT64_C(1) << 40)
#define BLK_LIMIT_IOPS_MAX UINT64_C(1000000000)

struct blk_bucket {
	uint64_t rate; /* a second; 0: no limit */
	/* What is in it, times a second in ns; below 0: debt. */
	__extension__ __int128 level;
};

struct blk_limit {
	struct blk_bucket bytes, requests;
	uint64_t at; /* levels are of this time */
};

/* @bps, @iops: 0 for no limit; else up to the maxima above. */
void blk_limit_init(struct blk_limit *l, uint64_t bps, uint64_t iops,
		    uint64_t now_ns);
bool blk_limit_is_on(const struct blk_limit *l);
/* ns until a request may pass; 0: now. */
uint64_t blk_limit_wait(struct blk_limit *l, uint64_t now_ns);
/* A request has passed. */
void blk_limit_pay(struct blk_limit *l, uint64_t bytes);

#endif

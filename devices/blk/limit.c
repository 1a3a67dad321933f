/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/limit.h"

#include "core/bits.h"

#define SECOND UINT64_C(1000000000)

__extension__ typedef __int128 level_t;

static level_t bucket_full(const struct blk_bucket *b)
{
	return (level_t)b->rate * (level_t)BLK_LIMIT_BURST_NS;
}

static void bucket_init(struct blk_bucket *b, uint64_t rate)
{
	b->rate = rate;
	b->level = bucket_full(b);
}

static void bucket_fill(struct blk_bucket *b, uint64_t ns)
{
	b->level += (level_t)b->rate * (level_t)ns;
	if (b->level > bucket_full(b))
		b->level = bucket_full(b);
}

/* Until it has something. */
static uint64_t bucket_wait(const struct blk_bucket *b)
{
	if (!b->rate || b->level > 0)
		return 0;
	return (uint64_t)(-b->level / (level_t)b->rate) + 1;
}

static void bucket_pay(struct blk_bucket *b, uint64_t n)
{
	if (b->rate)
		b->level -= (level_t)n * (level_t)SECOND;
}

void blk_limit_init(struct blk_limit *l, uint64_t bps, uint64_t iops,
		    uint64_t now_ns)
{
	bucket_init(&l->bytes, bps);
	bucket_init(&l->requests, iops);
	l->at = now_ns;
}

bool blk_limit_is_on(const struct blk_limit *l)
{
	return l->bytes.rate || l->requests.rate;
}

uint64_t blk_limit_wait(struct blk_limit *l, uint64_t now_ns)
{
	const uint64_t ns = now_ns > l->at ? now_ns - l->at : 0;

	l->at = max_u64(l->at, now_ns);
	bucket_fill(&l->bytes, ns);
	bucket_fill(&l->requests, ns);
	return max_u64(bucket_wait(&l->bytes), bucket_wait(&l->requests));
}

void blk_limit_pay(struct blk_limit *l, uint64_t bytes)
{
	bucket_pay(&l->bytes, bytes);
	bucket_pay(&l->requests, 1);
}

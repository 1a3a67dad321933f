/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/backoff.h"

#include "core/bits.h"

static uint64_t longer_pause(uint64_t pause)
{
	if (pause < BACKOFF_MIN_NS)
		return BACKOFF_MIN_NS;
	return min_u64(2 * pause, BACKOFF_MAX_NS);
}

void backoff_failed(struct backoff *b, uint64_t now, uint64_t cost)
{
	uint64_t share =
		min_u64(cost, UINT64_MAX / (2 * BACKOFF_SHARE)) * BACKOFF_SHARE;

	b->pause = max_u64(longer_pause(b->pause), share);
	b->until = now + b->pause;
	b->well = 0;
}

void backoff_went_well(struct backoff *b, uint64_t ns)
{
	b->well += ns;
	if (b->well < b->pause)
		return;
	b->pause = b->pause / 2 < BACKOFF_MIN_NS ? 0 : b->pause / 2;
	b->well = 0;
}

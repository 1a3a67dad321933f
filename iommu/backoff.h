/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backoff.h - for how long not to try again what made somebody wait.
 *
 * Each time the pause doubles, and it is never less than BACKOFF_SHARE times
 * what the trial has cost: so trials cost no more than one part in
 * BACKOFF_SHARE of all time.  What goes well for as long as the pause is
 * halves it.
 *
 * Times are nanoseconds of one clock that does not go back.
 */
#ifndef MOAT_IOMMU_BACKOFF_H
#define MOAT_IOMMU_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_SHARE  100
#define BACKOFF_MIN_NS UINT64_C(10000000)
/* Of the doubling; a dear trial can make the pause longer. */
#define BACKOFF_MAX_NS UINT64_C(10000000000)

/* Zeroed: nothing has happened. */
struct backoff {
	uint64_t pause; /* the last one; 0: none, or all is forgiven */
	uint64_t until;
	uint64_t well; /* how long it has gone well since */
};

/* May it be tried? */
static inline bool backoff_over(const struct backoff *b, uint64_t now)
{
	return now >= b->until;
}

/* It went wrong and has cost somebody @cost. */
void backoff_failed(struct backoff *b, uint64_t now, uint64_t cost);

/* It went well for @ns more. */
void backoff_went_well(struct backoff *b, uint64_t ns);

#endif

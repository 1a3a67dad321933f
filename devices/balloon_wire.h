/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * balloon_wire.h - virtio-balloon's configuration and statistics.
 * [virtio 1.2, 5.5]
 */
#ifndef MOAT_DEVICES_BALLOON_WIRE_H
#define MOAT_DEVICES_BALLOON_WIRE_H

#include <assert.h>

#include "core/le.h"

#define BALLOON_F_STATS_VQ	 1
#define BALLOON_F_DEFLATE_ON_OOM 2
#define BALLOON_F_REPORTING	 5

#define BALLOON_QUEUE_INFLATE 0
#define BALLOON_QUEUE_DEFLATE 1
#define BALLOON_QUEUE_STATS   2

/* Page numbers count pages of this size whatever the guest's are. */
#define BALLOON_PAGE 4096u

struct balloon_config_wire {
	le32_t num_pages; /* to be in the balloon */
	le32_t actual;	  /* that are; the driver's to write */
};
static_assert(sizeof(struct balloon_config_wire) == 8, "[virtio 1.2, 5.5.4]");

/* An entry of the statistics. */
struct balloon_stat_wire {
	le16_t tag;
	uint8_t val[8]; /* le64, not aligned */
};
static_assert(sizeof(struct balloon_stat_wire) == 10, "[virtio 1.2, 5.5.6.4]");

#define BALLOON_S_MAJFLT  2
#define BALLOON_S_MEMFREE 4
#define BALLOON_S_MEMTOT  5
#define BALLOON_S_AVAIL	  6
#define BALLOON_S_NR	  10

#endif

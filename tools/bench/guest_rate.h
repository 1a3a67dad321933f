/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_rate.h - random reads of 4 KiB, one and many at once.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_RATE_H
#define MOAT_TOOLS_BENCH_GUEST_RATE_H

#include <stdbool.h>

/* Marks are said around each depth. @fd: a disk, opened with O_DIRECT; @count:
 * count what the IOMMU layer does, too, which costs time */
void rate_all(int fd, bool count);

#endif

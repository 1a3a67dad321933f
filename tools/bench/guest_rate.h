/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_rate.h - a disk's requests, one and many at once.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_RATE_H
#define MOAT_TOOLS_BENCH_GUEST_RATE_H

/* Of @fd, a disk of 64 MiB opened with O_DIRECT, 1,024 random blocks of 4 KiB,
 * one and 32 at once: "rate-1", "rate-32". */
void rate_reads(int fd);
/* The same, writing: "write-1", "write-32". */
void rate_writes(int fd);
/* All of it in blocks of 1 MiB, one after the other: "seq-read",
 * "seq-write".  There is a huge page for the block. */
void rate_sequential(int fd);

#endif

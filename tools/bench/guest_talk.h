/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_talk.h - what a benchmark's guest tells watch.c.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_TALK_H
#define MOAT_TOOLS_BENCH_GUEST_TALK_H

/* The mark "@TEXT". */
void say(const char *text);
/* The last mark, and power-off. */
_Noreturn void halt(void);
/* The mark "failed: WHAT 'WHICH'" and the reason in errno, then halt(). */
_Noreturn void fail(const char *what, const char *which);

#endif

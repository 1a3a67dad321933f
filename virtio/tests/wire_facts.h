/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire_facts.h - what virtio/wire.h says, and what the kernel's headers say.
 *
 * Two translation units fill the same list from two sets of headers, whose
 * names never meet; test_wire.c compares.
 */
#ifndef MOAT_VIRTIO_TESTS_WIRE_FACTS_H
#define MOAT_VIRTIO_TESTS_WIRE_FACTS_H

#include <stddef.h>

struct wire_fact {
	const char *what;
	unsigned long val;
};

extern const struct wire_fact wire_facts_ours[];
extern const size_t wire_facts_ours_count;
extern const struct wire_fact wire_facts_kernel[];
extern const size_t wire_facts_kernel_count;

#endif

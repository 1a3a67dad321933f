/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * conf.h - the bench of the conformance tests: one virtio-iommu of the ratified
 * form (topology=none), driven through its registers and real rings.
 *
 * A case is named after the statements that it answers: d30_..., g10a_...;
 * tools/conformance makes docs/conformance.md of these names.
 */
#ifndef MOAT_IOMMU_TESTS_CONFORMANCE_CONF_H
#define MOAT_IOMMU_TESTS_CONFORMANCE_CONF_H

#include <check.h>
#include <stdbool.h>

#include "core/bits.h"
#include "core/le.h"
#include "iommu/tests/viommu_rig.h"

/* Running, all features negotiated, when a test begins. */
extern struct vrig v;

/* Another device, nothing negotiated; as vrig_init_prepared(). */
void conf_anew(enum iommu_topology_form form, const struct iommu_config *config,
	       void (*prepare)(struct rig *r));
/* Reset, and running with @features. */
void conf_restart(uint64_t features);

/* Can @ep read at the beginning of a page / read or write at @at? */
bool conf_can(unsigned ep, uint64_t page);
bool conf_may(unsigned ep, iova_t at, enum dma_access access);

/* A request as bytes, with a reply of 4.  Return: the status; -1: unwritten. */
int conf_send(const void *request, uint32_t readable);

/* The body of main(): @add gives the suite's case its tests. */
int conf_main(const char *name, void (*add)(TCase *t));

#define OK(call)       ck_assert_int_eq(call, IOMMU_OK)
#define FAILS(s, call) ck_assert_int_eq(call, IOMMU_##s)

/* By page numbers, identity. */
#define MAP(d, page, n)                                                       \
	vrig_map(&v, d, (page)*PAGE, (page)*PAGE + (n)*PAGE - 1, (page)*PAGE, \
		 RW)
#define UNMAP(d, page, n) \
	vrig_unmap(&v, d, (page)*PAGE, (page)*PAGE + (n)*PAGE - 1)

#endif

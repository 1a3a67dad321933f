/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * spoil.h - a wrong topology on purpose, for the tests of guests.
 *
 * No such device can be configured: iommu/ refuses to make one.  So a right
 * one is made, and bytes of it are overwritten before the guest runs.
 */
#ifndef MOAT_VMM_MACHINE_SPOIL_H
#define MOAT_VMM_MACHINE_SPOIL_H

struct err;
struct mach;
struct mach_func;

/*
 * spoil_topology - make the description in @iommu wrong in the way of @kind.
 *
 * Return: 0; -EINVAL, with a sentence, for an unknown kind, or if the machine
 * has too little of a description for it.
 */
int spoil_topology(const struct mach *m, struct mach_func *iommu,
		   const char *kind, struct err *err);

#endif

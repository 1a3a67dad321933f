/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * func.h - the place of a device in a machine: a PCI function in its slot, or
 * registers of its own; behind the IOMMU or not; on whose loop.
 *
 * Slots are fixed, so that a device keeps its address when another one comes
 * or goes.  The endpoint id of a function is its requester id; tests of guests
 * may have a distance between them.
 *
 * In order: next, perhaps manage, env, perhaps own_loop, the device itself
 * (f->dev), plug.  Threads: the main thread.  Return of what can fail: 0; -errno
 * with a sentence.
 */
#ifndef MOAT_VMM_MACHINE_FUNC_H
#define MOAT_VMM_MACHINE_FUNC_H

#include <stdbool.h>

#include "virtio/device.h"
#include "vmm/machine/config.h"

struct err;
struct mach;
struct mach_func;

/* The place of the next device; it is not there before it is plugged. */
struct mach_func *func_next(struct mach *m, unsigned slot, const char *name);
/* ... of one that is no PCI function. */
struct mach_func *func_next_mmio(struct mach *m, const char *name);

/* Is a device to be behind the IOMMU?  @by_default: if nobody has a @wish. */
bool func_behind_iommu(const struct mach *m, enum mach_switch wish,
		       bool by_default);
/* Put @f behind it. */
int func_protect(struct mach *m, struct mach_func *f, struct err *err);
/* ... and into the topology. */
int func_manage(struct mach *m, struct mach_func *f, struct err *err);

/* What its device is made with. */
struct virtio_dev_env func_env(struct mach *m, struct mach_func *f);
/* A loop for all of it; own_loops_fini() if no device comes of it. */
int func_own_loop(struct mach_func *f, struct virtio_dev_env *env,
		  struct err *err);

/* The device is there: the guest can see it, and mach_remove_functions() frees
 * it, in any case. */
int func_plug(struct mach *m, struct mach_func *f, struct err *err);
int func_plug_mmio(struct mach *m, struct mach_func *f, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * machine.h - a whole virtual machine: made from a config, run, freed.
 *
 *	config -> mach_new -> mach_run -> mach_free
 *
 * Nothing is file-scope state: several machines live in one process.
 * mach_new() either gives a complete machine or leaves nothing behind.
 */
#ifndef MOAT_VMM_MACHINE_H
#define MOAT_VMM_MACHINE_H

#include <stdbool.h>
#include <stdio.h>

#include "core/stream.h"
#include "iommu/iommu.h"
#include "vmm/machine/config.h"

struct err;
struct loop;
struct mach;

/* How a run ended. */
enum mach_outcome {
	MACH_POWERED_OFF,
	MACH_REBOOTED, /* with config.reboot false */
	MACH_HALTED,   /* every CPU, with interrupts disabled */
	MACH_PANICKED, /* the guest's kernel said so */
	MACH_CRASHED,  /* triple fault or an exit no guest should cause */
	MACH_STOPPED,  /* mach_stop() */
	MACH_FAILED,   /* the host's doing; the err says what */
};

/* Plans only: everything but /dev/kvm, kernel and guest memory contents. */
#define MACH_PLAN_ONLY BIT(0)

/*
 * mach_new - assemble the machine.
 *
 * Return: 0; -errno with one sentence that names option and file.
 */
int mach_new(struct mach **ret_m, const struct mach_config *config,
	     unsigned flags, struct err *err);
void mach_free(struct mach *m);

/*
 * mach_console - the guest's console: bytes out, bytes in.  With
 * MACH_CONSOLE_BOTH output of either comes here and input goes to the one
 * that the guest uses last.  Join it before mach_run().
 */
struct stream_end *mach_console(struct mach *m);
/* Port @index of config.ports; join it before mach_run(). */
struct stream_end *mach_port(struct mach *m, unsigned index);
/* Window size of whatever is at the other end. */
void mach_console_resize(struct mach *m, uint16_t cols, uint16_t rows);

/* The main event loop: a place for the caller's own watches. */
struct loop *mach_loop(struct mach *m);

/*
 * mach_run - run until the guest ends or somebody stops it; once.
 * Return: 0, or -errno with MACH_FAILED.
 */
int mach_run(struct mach *m, enum mach_outcome *ret_o, struct err *err);

/* Ends mach_run() soon; any thread, any time, also before the run. */
void mach_stop(struct mach *m);
/* The console's text showed a kernel panic (guests without pvpanic): ends
 * mach_run() with MACH_PANICKED if the guest does not end it itself soon. */
void mach_panicked(struct mach *m);

/*
 * mach_kernel_log - the last lines a Linux guest has logged, seen or not; after
 * mach_run().  See vmm/machine/kernel_log.h.
 * Return: length of @text, 0 without any.
 */
size_t mach_kernel_log(struct mach *m, char *text, size_t cap);

/* One line: whether the IOMMU is on, and why. */
const char *mach_iommu_reason(const struct mach *m);
bool mach_iommu_on(const struct mach *m);
/* What the IOMMU saw; false without one. */
bool mach_iommu_stats(struct mach *m, struct iommu_stats *ret_s);
/* As iommu_endpoint_state() and iommu_mappings(), from any thread; without an
 * IOMMU there is no endpoint. */
bool mach_iommu_endpoint(struct mach *m, size_t n,
			 struct iommu_endpoint_state *ret_s);
int mach_iommu_mappings(struct mach *m, uint32_t endpoint, iova_t from,
			struct iommu_mapping *ret_m, unsigned max);

/* What one device has done since the machine was made, reboots included. */
#define MACH_STATS_MAX	   8
#define MACH_STAT_NAME_MAX 23

struct mach_device_stats {
	char name[16], kind[24]; /* "blk0", "virtio-blk" */
	uint64_t kicks, interrupts, requests;
	uint64_t read, written;		  /* bytes, of the guest's memory */
	uint64_t errors, full, throttled; /* as in struct vq_stats */
	/* What this kind of device counts besides. */
	struct {
		char name[MACH_STAT_NAME_MAX + 1]; /* lower case and '_' */
		uint64_t value;
	} more[MACH_STATS_MAX];
	unsigned nmore;
};

/*
 * mach_device_stats - device @n, from 0; any thread.
 * Return: false if there are fewer.
 */
bool mach_device_stats(struct mach *m, size_t n,
		       struct mach_device_stats *ret_s);

/*
 * mach_balloon - have the guest give up so much memory; it comes near that as
 * far as it can, and mach_device_stats() tells how far.  Any thread.
 *
 * Return: 0; -ENODEV without a balloon; -ERANGE for more than it has.
 */
int mach_balloon(struct mach *m, uint64_t bytes);

/*
 * mach_trace - have every request to the IOMMU and every fault written to
 * @fd, a regular file, in the format of vmm/machine/trace_record.h; before
 * mach_run().  The last ones are there after mach_free().
 * @fd: the machine's from here on, failure included
 *
 * Return: 0; -EINVAL for another kind of file; -errno.
 */
int mach_trace(struct mach *m, int fd, struct err *err);

/* The PCI tree: functions, BARs, endpoint ids, who is managed. */
void mach_print_topology(struct mach *m, FILE *out);

/* What the networks have moved, a line each. */
void mach_print_nets(struct mach *m, FILE *out);

/* Exits to user space by kind, for benchmarks; @out gets "kind count" lines. */
void mach_print_exits(struct mach *m, FILE *out);

#endif

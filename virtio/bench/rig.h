/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * rig.h - a real device with its loop on one side, a driver on the other.
 *
 * The driver does what Linux does: a request is a chain in an indirect table
 * of its own; it is published, the device kicked if it wants that, and an
 * interrupt waited for, after which all used chains are taken and as many
 * sent again.  Kick and interrupt are eventfds, as KVM makes them.
 * How many that are is then a matter of who runs when, and with it what one
 * costs; unless the driver waits for all of them (@whole).
 *
 * Three ways to memory: without an IOMMU; behind one with everything mapped
 * before; and with each buffer of each request mapped before it and unmapped
 * after it.
 *
 * Threads: the driver's is the caller's, on processor 0, where the far end of a
 * socket is, too; the device has its loop's, which stays on processor 1.
 */
#ifndef MOAT_VIRTIO_BENCH_RIG_H
#define MOAT_VIRTIO_BENCH_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/gmem.h"
#include "core/stream.h"
#include "iommu/iommu.h"
#include "virtio/bench/counts.h"
#include "virtio/device.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define RIG_DEPTH_MAX 256
#define RIG_BUFS_MAX  4

enum rig_memory { RIG_PLAIN, RIG_MAPPED, RIG_MAPPING, RIG_MEMORIES };

extern const char *const rig_memory_names[RIG_MEMORIES];

struct rig;

struct subject_ops {
	const char *name;
	/* Return: 0 with a device; or a sentence has been printed. */
	int (*open)(struct rig *r, const struct virtio_dev_env *env);
	/* May be NULL: the device is gone, and what belongs to it goes. */
	void (*close)(struct rig *r);
	unsigned queue;
	uint64_t features; /* besides the usual ones */
	/* May be NULL.  Connect other queues, before DRIVER_OK, under the
	 * device's lock; and what has to be said first, after it. */
	void (*connect)(struct rig *r);
	int (*hello)(struct rig *r);
	/* Describe and fill in request @n, in slot @slot: one page for each
	 * buffer, from rig_page().  Return: count of buffers. */
	unsigned (*request)(struct rig *r, unsigned slot, uint64_t n,
			    struct vqd_buf *bufs);
	/* Did the request in @slot do what it should? */
	bool (*check)(struct rig *r, unsigned slot, uint32_t len);
};

extern const struct subject_ops subject_blk_read, subject_blk_write,
	subject_blk_own, subject_net_tx, subject_net_rx, subject_vsock,
	subject_console;

/* One run of a subject. */
struct rig {
	const struct subject_ops *ops;
	enum rig_memory memory;
	struct gmem mem;
	struct dma plain; /* the driver's */
	struct iommu *iommu;
	struct dma *view;
	struct loop *loop;
	pthread_t thread;
	_Atomic int tid; /* of the loop */
	struct counts counts;
	struct virtio_dev *dev;
	struct fake_transport transport;
	struct vq_driver driver;
	uint16_t slots[RIG_DEPTH_MAX]; /* of a head */
	uint8_t nbufs[RIG_DEPTH_MAX];  /* of a slot */
	uint64_t sent, done;
	struct stream_end sink; /* of the console */
	struct loop *idle_loop; /* of the disk's other queue */
	struct vsock_peer *peer;
};

struct rig_options {
	const char *dir;  /* of the disk's image */
	const char *path; /* NULL: a new image in @dir */
	bool whole;	  /* the driver sends when all are done */
};

extern struct rig_options rig_options;

/* Exits with a sentence when the machine does not let it be. */
void rig_up(struct rig *r, const struct subject_ops *ops,
	    enum rig_memory memory);
void rig_down(struct rig *r);

/* The page of the slot's buffer @k. */
iova_t rig_page(unsigned slot, unsigned k);
/* Pages for a queue besides, mapped for good. */
#define RIG_MORE_AT  MIB(2)
#define RIG_MORE_LEN MIB(1)

/* Requests, @depth at a time, for @ns nanoseconds or until @count are done. */
struct rig_result {
	uint64_t requests, interrupts, kicks;
	double wall_ns, cpu_ns; /* together; of the loop's thread */
	uint64_t allocations, locks;
};
void rig_run(struct rig *r, unsigned depth, uint64_t ns, uint64_t count,
	     struct rig_result *ret);

#endif

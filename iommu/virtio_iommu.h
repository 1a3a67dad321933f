/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtio_iommu.h - the virtio-iommu device.   [virtio 1.2, 5.13]
 *
 * Queue 0 takes requests and is served on the vCPU that rang (inline_kick):
 * Linux spins on it with interrupts off.  On request a thread looks at it for
 * as long as it is used, so that nobody needs to ring (viommu_poll.h).  Queue 1
 * carries faults, which the device's loop sends.
 *
 * Threads: as virtio/device.h says.  A request runs without the device's lock,
 * because it may wait for I/O that the loop has to finish; whoever rings
 * meanwhile returns at once and leaves the work to the one who is at it.
 */
#ifndef MOAT_IOMMU_VIRTIO_IOMMU_H
#define MOAT_IOMMU_VIRTIO_IOMMU_H

#include <stdint.h>

#include "iommu/iommu.h"
#include "iommu/request.h"
#include "iommu/topology.h"
#include "iommu/viommu_poll.h"
#include "virtio/device.h"

/* [virtio 1.2, 5.13.3] */
#define VIOMMU_F_INPUT_RANGE   0
#define VIOMMU_F_DOMAIN_RANGE  1
#define VIOMMU_F_MAP_UNMAP     2
#define VIOMMU_F_PROBE	       4
#define VIOMMU_F_MMIO	       5
#define VIOMMU_F_BYPASS_CONFIG 6
/* Not in the specification: see docs of `topology=`. */
#define VIOMMU_F_TOPOLOGY_V2 6
#define VIOMMU_F_TOPOLOGY    23

/* Room for properties in a PROBE; all reserved regions must fit. */
#define VIOMMU_PROBE_SIZE 512
#define VIOMMU_RESV_MAX	  (VIOMMU_PROBE_SIZE / 24)

/* Fault records sent in one second; more are dropped and counted. */
#define VIOMMU_FAULTS_PER_SECOND 1000

/*
 * Told of every request that was recognised, when it has been carried out or
 * rejected, and of every fault that is not dropped; under the device's lock,
 * one at a time.  Must not wait for anything but the host's kernel.
 */
struct viommu_watcher {
	void (*request)(struct viommu_watcher *w, const struct iommu_request *r,
			enum iommu_status status);
	void (*fault)(struct viommu_watcher *w, const struct iommu_fault *f);
};

struct viommu_config {
	struct iommu *iommu;		       /* borrowed */
	const struct iommu_topology *topology; /* read by viommu_new() only */
	enum iommu_topology_form form;
	struct viommu_watcher *watcher; /* borrowed; NULL: nobody */
	struct viommu_poll_times poll;	/* zeroed: served in exits alone */
};

struct viommu_stats {
	uint64_t faults_sent;
	uint64_t faults_dropped; /* no buffer, too many, or nobody to tell */
	struct viommu_poll_stats poll;
};

/*
 * viommu_new - the device; its own queues use env->dma, an identity view.
 * The topology is complete when this is called, and every endpoint in it has
 * been added to the IOMMU.  With IOMMU_TOPOLOGY_NONE it may be NULL or empty.
 *
 * Free it when no device that uses the IOMMU runs any more.
 *
 * Return: 0; -EINVAL for a topology that a careful guest would refuse, or more
 * than VIOMMU_RESV_MAX reserved regions; -ENOMEM; -errno.
 */
int viommu_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct viommu_config *config, struct err *err);

/*
 * viommu_power_on_reset - as virtio_reset(), and the `bypass` field as at
 * power-on.   [virtio 1.2, 5.13.4.2]  Threads: as virtio_reset().
 */
void viommu_power_on_reset(struct virtio_dev *d);

/*
 * viommu_end - the machine's run has ended: nobody serves requests any more, and
 * the device has no thread.  iommu_stop_waiting() precedes, for good, since
 * what a request waits for may never end now.
 *
 * Threads: when no vCPU runs; d->lock is not held.
 */
void viommu_end(struct virtio_dev *d);

/* Since power-on.  Threads: any. */
void viommu_get_stats(struct virtio_dev *d, struct viommu_stats *ret_s);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_dev.h - a device that does what a test needs.
 *
 * A kick pops all there is.  Echoing, the readable half is copied into the
 * writable one; holding, chains are kept until the test pushes them, as I/O
 * in flight would be.
 *
 * Threads: fields under the device's lock.
 */
#ifndef MOAT_VIRTIO_TESTS_FAKE_DEV_H
#define MOAT_VIRTIO_TESTS_FAKE_DEV_H

#include "virtio/device.h"

#define FAKE_DEV_ID	  63
#define FAKE_DEV_FEATURES 0x5u /* device-specific bits 0 and 2 */

struct fake_dev {
	struct virtio_dev vdev;
	/* The test's to set. */
	bool hold;	       /* keep chains in @held */
	bool hold_is_inflight; /* each one counts as I/O in flight */
	bool suppress_kicks;   /* vq_kicks_off() while popping */
	bool pause_in_kick;    /* as a vCPU may, when a kick drops the lock */
	int start_result;
	bool refuse_features;
	/* What happened. */
	unsigned starts, stops, kicks, queue_stops, config_writes, frees;
	unsigned done; /* chains echoed */
	int last_pop;  /* what ended the last kick */
	size_t config_off, config_len;
	struct list held; /* by vq_chain.node, oldest first */
	unsigned nheld;
};

/* @env as for any device. */
int fake_dev_init(struct fake_dev *f, const struct virtio_dev_env *env,
		  const uint16_t *queue_sizes, unsigned nvqs,
		  size_t config_len);
/* As fake_dev_init(), but the device cannot reset single queues. */
int fake_dev_init_plain(struct fake_dev *f, const struct virtio_dev_env *env,
			const uint16_t *queue_sizes, unsigned nvqs,
			size_t config_len);
void fake_dev_fini(struct fake_dev *f);

/* The oldest chain held, off the list; NULL: none. */
struct vq_chain *fake_dev_take(struct fake_dev *f);
/* The oldest one's I/O comes back: push, signal, no longer in flight. */
void fake_dev_complete(struct fake_dev *f);

#endif

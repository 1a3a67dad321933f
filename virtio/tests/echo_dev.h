/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * echo_dev.h - a device whose queues run side by side, each under its own
 * lock and with a loop and a thread of its own.
 *
 * A kick pops all there is and pushes it back with the writable half cleared;
 * or, holding, keeps it as I/O in flight until the test completes it.
 *
 * Threads: of a queue, its lock.
 */
#ifndef MOAT_VIRTIO_TESTS_ECHO_DEV_H
#define MOAT_VIRTIO_TESTS_ECHO_DEV_H

#include <pthread.h>
#include <stdbool.h>

#include "virtio/device.h"

#define ECHO_QUEUES 3u
#define ECHO_CONFIG 8u /* bytes, all for the driver to write */

struct echo_queue {
	struct loop *loop;
	pthread_t thread;
	bool hold;	  /* the test's to set */
	struct list held; /* by vq_chain.node, oldest first */
	unsigned nheld, done;
};

struct echo_dev {
	struct virtio_dev vdev;
	struct loop *loop; /* the device's own: trouble is dealt with there */
	pthread_t thread;
	bool running;
	struct echo_queue queues[ECHO_QUEUES];
};

/* @size: of each queue.  No thread runs yet. */
void echo_dev_init(struct echo_dev *e, struct dma *dma, uint16_t size);
void echo_dev_run(struct echo_dev *e);
/* Reset before.  Ends the threads. */
void echo_dev_fini(struct echo_dev *e);

/* The oldest chain of @qi comes back.  Takes the queue's lock. */
void echo_dev_complete(struct echo_dev *e, unsigned qi);
/* What is held of @qi.  Takes the queue's lock. */
unsigned echo_dev_held(struct echo_dev *e, unsigned qi);
void echo_dev_hold(struct echo_dev *e, unsigned qi, bool hold);

#endif

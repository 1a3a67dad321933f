/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_transport.h - counts what a device tells its driver.
 *
 * Threads: fields under the device's lock.
 */
#ifndef MOAT_VIRTIO_TESTS_FAKE_TRANSPORT_H
#define MOAT_VIRTIO_TESTS_FAKE_TRANSPORT_H

#include "virtio/device.h"

struct fake_transport {
	struct virtio_transport t;
	unsigned queue_irqs[VIRTIO_QUEUES_MAX];
	unsigned config_irqs;
	unsigned resets;
	int irq_fd; /* eventfd signalled at each queue interrupt; -1: none */
	struct irq_source *sources[VIRTIO_QUEUES_MAX]; /* lent; NULL: none */
};

/* Becomes @d's transport. */
void fake_transport_init(struct fake_transport *f, struct virtio_dev *d);
/* What queue @qi has lent goes straight, to nowhere, or comes to it again.
 * Caller holds the device's lock. */
void fake_transport_route(struct fake_transport *f, unsigned qi, bool straight);

#endif

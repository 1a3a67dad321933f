/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * mmio.h - virtio over MMIO, version 2.   [virtio 1.2, 4.2]
 *
 * One page of registers and a wire.  The wire is high while InterruptStatus
 * is not zero, and rises anew when something is left of it that was not
 * acknowledged, so that it serves as an edge and as a level.
 *
 * All queues notify by one register, whose value names the queue; a doorbell
 * knows no value, so only a device with one queue gets one, while that queue
 * runs.  Others are kicked by the bus.
 *
 * Threads: the device's lock, taken by the bus.
 */
#ifndef MOAT_VIRTIO_MMIO_H
#define MOAT_VIRTIO_MMIO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "virtio/device.h"

struct irq_line;

#define VMMIO_SIZE 0x1000

struct vmmio {
	struct virtio_transport transport;
	struct virtio_dev *dev; /* NULL: zeroed object */
	struct irq_line *irq;
	struct doorbell_sink *doorbells; /* NULL: none */
	struct bus_region region;
	uint32_t device_feature_select, driver_feature_select;
	uint32_t queue_select;
	pthread_mutex_t wire; /* a leaf: status and level go together */
	uint32_t interrupt_status;
	bool belled; /* queue 0 has its doorbell */
};

/*
 * vmmio_init - registers for @d at @base, ready for bus_attach().
 * @d: borrowed; freed by the caller after vmmio_fini()
 * @irq, @doorbells: borrowed; may be NULL
 */
void vmmio_init(struct vmmio *v, struct virtio_dev *d, uint64_t base,
		struct irq_line *irq, struct doorbell_sink *doorbells);
/* Accepts a zeroed object. */
void vmmio_fini(struct vmmio *v);

/* Machine restart: device reset and registers as at power-on.  Main thread,
 * no lock held, vCPUs stopped. */
void vmmio_power_on_reset(struct vmmio *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The status machine and the negotiation of features.
 * [virtio 1.2, 2.1, 2.2, 3.1]
 */
#include "virtio/device.h"

#include <errno.h>

#include "core/bits.h"

/* What the driver may set; NEEDS_RESET is the device's. */
#define DRIVER_BITS                                            \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |    \
	 VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK | \
	 VIRTIO_STATUS_FAILED)

#define FOUND (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)

static uint32_t half(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

uint32_t virtio_device_features(const struct virtio_dev *d, uint32_t select)
{
	return half(d->offered, select);
}

uint32_t virtio_driver_features(const struct virtio_dev *d, uint32_t select)
{
	return half(d->driver_features, select);
}

void virtio_set_driver_features(struct virtio_dev *d, uint32_t select,
				uint32_t val)
{
	if (select > 1 || d->stopping || (d->status & FOUND) != FOUND ||
	    d->status & VIRTIO_STATUS_FEATURES_OK)
		return;

	unsigned shift = 32 * select;

	d->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	d->driver_features |= (uint64_t)val << shift;
}

static bool features_acceptable(struct virtio_dev *d)
{
	uint64_t f = d->driver_features;

	/* [virtio 1.2, 2.2.2] */
	if (f & ~d->offered)
		return false;
	/* No legacy interface.   [virtio 1.2, 6.2] */
	if (!virtio_has(d, VIRTIO_F_VERSION_1))
		return false;
	/* Behind an IOMMU a driver that hands out physical addresses would
	 * only fault.   [virtio 1.2, 6.2] */
	if (d->insist_platform && !virtio_has(d, VIRTIO_F_ACCESS_PLATFORM))
		return false;
	return !d->ops->features_ok || d->ops->features_ok(d, f);
}

static void try_features_ok(struct virtio_dev *d)
{
	if ((d->status & FOUND) != FOUND)
		return;
	if (!features_acceptable(d)) {
		guest_warn(&d->log, "features %#llx refused, offered %#llx",
			   (unsigned long long)d->driver_features,
			   (unsigned long long)d->offered);
		return;
	}
	d->status |= VIRTIO_STATUS_FEATURES_OK;
}

static int start_queues(struct virtio_dev *d)
{
	for (unsigned i = 0; i < d->nvqs; i++) {
		int r = d->vqs[i].enabled ? vq_start(&d->vqs[i]) : 0;

		if (r)
			return r;
	}
	return 0;
}

static void try_driver_ok(struct virtio_dev *d)
{
	if (!(d->status & VIRTIO_STATUS_FEATURES_OK) ||
	    d->status & VIRTIO_STATUS_FAILED)
		return;
	d->status |= VIRTIO_STATUS_DRIVER_OK;
	if (d->status & VIRTIO_STATUS_NEEDS_RESET) {
		/* It broke when nothing could be sent yet. */
		if (d->transport)
			d->transport->ops->config_interrupt(d->transport);
		return;
	}

	int r = start_queues(d);

	if (!r) {
		d->running = true;
		r = d->ops->start(d);
	}
	if (r)
		virtio_broken(d, "does not start: error %d", -r);
}

/* All locks are held. */
static void add_status(struct virtio_dev *d, uint8_t added)
{
	d->status |= added & FOUND;
	if (added & VIRTIO_STATUS_FAILED) {
		/* The driver has given up; its buffers are not ours now. */
		d->status |= VIRTIO_STATUS_FAILED;
		d->running = false;
		if (d->ops->halted)
			d->ops->halted(d);
	}
	if (added & VIRTIO_STATUS_FEATURES_OK)
		try_features_ok(d);
	if (added & VIRTIO_STATUS_DRIVER_OK)
		try_driver_ok(d);
}

void virtio_set_status(struct virtio_dev *d, uint8_t val)
{
	if (val == 0) {
		virtio_reset(d);
		return;
	}
	/* Bits are only ever added; 0 alone resets.   [virtio 1.2, 2.1.1] */
	if (d->stopping || d->status & DRIVER_BITS & ~val)
		return;
	virtio_lock_queues(d);
	add_status(d, val & DRIVER_BITS & (uint8_t)~d->status);
	virtio_unlock_queues(d);
}

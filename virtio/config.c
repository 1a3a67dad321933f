/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Device-specific configuration: bytes and a mask.   [virtio 1.2, 2.5]
 */
#include "virtio/device.h"

#include "core/bits.h"

/* How many of @size bytes at @off exist. */
static unsigned present(const struct virtio_dev *d, uint64_t off, unsigned size)
{
	if (off >= d->config_len)
		return 0;
	return (unsigned)min_u64(size, d->config_len - off);
}

uint64_t virtio_config_read(struct virtio_dev *d, uint64_t off, unsigned size)
{
	unsigned n = present(d, off, size);

	d->config_seen = d->config_seen || n;
	return n ? le_load(d->config + off, n) : 0;
}

void virtio_config_write(struct virtio_dev *d, uint64_t off, unsigned size,
			 uint64_t val)
{
	unsigned n = present(d, off, size);
	uint8_t any = 0;

	if (d->stopping)
		return;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *byte = &d->config[off + i];
		uint8_t mask = d->config_wmask[off + i];

		*byte = (uint8_t)((*byte & ~mask) | (val >> 8 * i & mask));
		any |= mask;
	}
	if (any && d->ops->config_written)
		d->ops->config_written(d, (size_t)off, n);
}

/*
 * Never set back, not even by a reset: a driver that compares two reads must
 * see that they differ.  Changes that nobody can have seen one by one count as
 * one, or 256 of them would be none.   [virtio 1.2, 2.5.1, 4.1.4.3.1]
 */
void virtio_config_renewed(struct virtio_dev *d)
{
	if (d->config_seen)
		d->generation++;
	d->config_seen = false;
}

void virtio_config_changed(struct virtio_dev *d)
{
	virtio_config_renewed(d);
	if (d->status & VIRTIO_STATUS_DRIVER_OK && !d->stopping && d->transport)
		d->transport->ops->config_interrupt(d->transport);
}

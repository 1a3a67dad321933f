/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * balloon.h - virtio-balloon: memory that the guest gives back.
 * [virtio 1.2, 5.5]
 *
 * Pages in the balloon, and free ones that the guest reports, go back to the
 * host until the guest touches them again.  The driver deflates the balloon
 * itself when it runs out of memory.
 *
 * Its page numbers are guest-physical addresses whatever stands between other
 * devices and memory, and Linux' driver does not take ACCESS_PLATFORM: it is
 * no device for behind an IOMMU.  It reads its own queues only; all it does
 * to other memory is to let go of it, which the guest can do by itself.
 */
#ifndef MOAT_DEVICES_BALLOON_H
#define MOAT_DEVICES_BALLOON_H

#include <stdint.h>

#include "virtio/device.h"

struct gmem;

/*
 * balloon_new -
 * @mem: what pages go back from; outlives the device
 *
 * Return: 0; -ENOMEM, -errno.
 */
int balloon_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		struct gmem *mem, struct err *err);

/*
 * balloon_set - how much the balloon shall hold; the guest comes near it as far
 * as it can.  Whole pages of 4 KiB.  Takes the device's lock.
 *
 * Return: 0; -ERANGE for more than there is memory.
 */
int balloon_set(struct virtio_dev *d, uint64_t bytes);

#endif

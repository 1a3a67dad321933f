/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - what the virtio specification fixes for all devices.
 */
#ifndef MOAT_VIRTIO_WIRE_H
#define MOAT_VIRTIO_WIRE_H

#include <assert.h>

#include "core/le.h"

/* Device status.   [virtio 1.2, 2.1] */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01
#define VIRTIO_STATUS_DRIVER	  0x02
#define VIRTIO_STATUS_DRIVER_OK	  0x04
#define VIRTIO_STATUS_FEATURES_OK 0x08
#define VIRTIO_STATUS_NEEDS_RESET 0x40
#define VIRTIO_STATUS_FAILED	  0x80

/* Reserved feature bits.   [virtio 1.2, 6] */
#define VIRTIO_F_INDIRECT_DESC	 28
#define VIRTIO_F_EVENT_IDX	 29
#define VIRTIO_F_VERSION_1	 32
#define VIRTIO_F_ACCESS_PLATFORM 33
#define VIRTIO_F_RING_PACKED	 34
#define VIRTIO_F_IN_ORDER	 35
#define VIRTIO_F_RING_RESET	 40

/* Device ids.   [virtio 1.2, 5] */
#define VIRTIO_ID_NET	  1
#define VIRTIO_ID_BLOCK	  2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG	  4
#define VIRTIO_ID_BALLOON 5
#define VIRTIO_ID_VSOCK	  19
#define VIRTIO_ID_IOMMU	  23
#define VIRTIO_ID_FS	  26

/* Split virtqueue.   [virtio 1.2, 2.7] */
#define VQ_DESC_F_NEXT	   1
#define VQ_DESC_F_WRITE	   2
#define VQ_DESC_F_INDIRECT 4

#define VQ_AVAIL_F_NO_INTERRUPT 1
#define VQ_USED_F_NO_NOTIFY	1

/* Offsets in both rings: flags at 0, then the index, then the entries; behind
 * the last one the word of the event index.   [virtio 1.2, 2.7.6, 2.7.8] */
#define VQ_RING_IDX	2
#define VQ_RING_ENTRIES 4

struct vq_desc_wire {
	le64_t addr;
	le32_t len;
	le16_t flags;
	le16_t next;
};
static_assert(sizeof(struct vq_desc_wire) == 16, "[virtio 1.2, 2.7.5]");

struct vq_used_elem_wire {
	le32_t id;
	le32_t len;
};
static_assert(sizeof(struct vq_used_elem_wire) == 8, "[virtio 1.2, 2.7.8]");

#endif

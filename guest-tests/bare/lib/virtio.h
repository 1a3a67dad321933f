/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtio.h - driver of a virtio PCI function.   [virtio 1.2, 3.1, 4.1]
 *
 * The calls are polite: each step in its order, each answer checked.  Rude
 * guests write to the registers and rings themselves; nothing is hidden.
 */
#ifndef MOAT_BARE_VIRTIO_H
#define MOAT_BARE_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_VENDOR	  0x1af4
#define VIRTIO_DEVICE(id) ((uint16_t)(0x1040 + (id)))
#define VIRTIO_BLK	  2
#define VIRTIO_IOMMU	  23

#define BIT(n)		  (UINT64_C(1) << (n))
#define F_VERSION_1	  BIT(32)
#define F_ACCESS_PLATFORM BIT(33)

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER	   2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_FAILED	   0x80u

/* The common structure. */
enum {
	C_DEVICE_FEATURE_SELECT = 0x00,
	C_DEVICE_FEATURE = 0x04,
	C_DRIVER_FEATURE_SELECT = 0x08,
	C_DRIVER_FEATURE = 0x0c,
	C_CONFIG_VECTOR = 0x10,
	C_NUM_QUEUES = 0x12,
	C_STATUS = 0x14,
	C_GENERATION = 0x15,
	C_QUEUE_SELECT = 0x16,
	C_QUEUE_SIZE = 0x18,
	C_QUEUE_VECTOR = 0x1a,
	C_QUEUE_ENABLE = 0x1c,
	C_QUEUE_NOTIFY_OFF = 0x1e,
	C_QUEUE_DESC = 0x20,
	C_QUEUE_DRIVER = 0x28,
	C_QUEUE_DEVICE = 0x30,
};

struct vdev {
	uint8_t devfn;
	volatile uint8_t *common, *notify, *device;
	uint32_t device_len; /* usable bytes */
	uint32_t multiplier;
	uint64_t features; /* negotiated */
};

/* Find the structures, map them, enable decoding and bus mastering.  The
 * device is not touched. */
void vdev_open(struct vdev *v, uint8_t devfn);

uint64_t vdev_features(struct vdev *v);
void vdev_reset(struct vdev *v);
void vdev_add_status(struct vdev *v, uint8_t bits);
uint8_t vdev_status(const struct vdev *v);

/* Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK.  VERSION_1 is always
 * asked for; @features as far as they are offered. */
void vdev_negotiate(struct vdev *v, uint64_t features);
void vdev_ready(struct vdev *v);

/* The one page of a ring. */
#define RING_SIZE  32
#define RING_AVAIL 0x400
#define RING_USED  0x800

struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
#define DESC_NEXT  1u
#define DESC_WRITE 2u

struct ring {
	uint8_t page[4096] __attribute__((aligned(4096)));
	volatile uint8_t *doorbell;
	unsigned doorbell_size;
	uint16_t index;
	uint16_t next_desc, seen;
};

/*
 * vdev_queue - set up queue @index on @r.
 * @offset: what to add to addresses so that the device finds them
 * @vector: of MSI-X; 0xffff: none
 */
void vdev_queue(struct vdev *v, uint16_t index, struct ring *r, uint64_t offset,
		uint16_t vector);

struct piece {
	uint64_t addr;
	uint32_t len;
	bool write;
};

volatile struct ring_desc *ring_descs(struct ring *r);
volatile uint16_t *ring_avail(struct ring *r); /* flags, idx, entries */
volatile uint16_t *ring_used(struct ring *r);

/* Put a chain into the ring.  Its head's number is returned. */
uint16_t ring_add(struct ring *r, const struct piece *pieces, unsigned n);
void ring_kick(struct ring *r);
/* The next used chain: waits; fails after some seconds.  Return: its length. */
uint32_t ring_take(struct ring *r, uint16_t *ret_head);
bool ring_has_used(struct ring *r);

/* Vector 0 of the function as message @data for this processor. */
void msix_enable(struct vdev *v, uint8_t data);

#endif

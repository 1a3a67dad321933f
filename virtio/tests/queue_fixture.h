/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * queue_fixture.h - a fake device with one queue, and its driver, on 2 MiB of
 * guest memory.  For the tests of this folder.
 *
 * No loop: kicks are virtio_notify() on the test's thread.
 */
#ifndef MOAT_VIRTIO_TESTS_QUEUE_FIXTURE_H
#define MOAT_VIRTIO_TESTS_QUEUE_FIXTURE_H

#include "core/tests/fake_dma.h"
#include "virtio/tests/fake_dev.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define FIX_MEM	 MIB(2)
#define FIX_RING 0x10000u
#define FIX_LEN	 0x80000u

#define FIX_ALL                                                      \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_F_RING_RESET))
#define FIX_PLAIN BIT_ULL(VIRTIO_F_VERSION_1)

struct fixture {
	struct gmem mem;
	struct dma id;	      /* identity: the driver's view */
	struct fake_dma fake; /* the device's, if @translated */
	struct fake_dev dev;
	struct fake_transport transport;
	struct vq_driver drv;
	struct virtio_dev *d;
	struct vq *q;
};

/* Device made, nothing negotiated. */
void fix_init(struct fixture *f, uint16_t size_max, bool translated);
/* Negotiated, ring of @size connected, running. */
void fix_start(struct fixture *f, uint64_t features, uint16_t size);
/* Both, largest ring. */
void fix_up(struct fixture *f, uint64_t features, uint16_t size);
void fix_fini(struct fixture *f);

/* Notify if the driver thinks it has to. */
void fix_kick(struct fixture *f);
/* Make a buffer of 16 writable bytes available, the same ones each time. */
void fix_add(struct fixture *f);
/* Pop one; asserts that there is one. */
struct vq_chain *fix_pop(struct fixture *f);
/* Pop one and push it. */
void fix_use(struct fixture *f);
/* The driver takes a used one; asserts that there is one. */
void fix_take(struct fixture *f);
/* DEVICE_NEEDS_RESET is set and the device does not run? */
bool fix_is_broken(const struct fixture *f);
/* Does the last line logged say @phrase? */
bool fix_said(const char *phrase);

#endif

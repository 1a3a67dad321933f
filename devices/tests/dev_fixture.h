/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dev_fixture.h - a virtio device on guest memory, its loop, and its driver.
 *
 * Four ways to run a test, by two switches.  Scattered, the device's memory
 * is translated and every two pages that are neighbours for the driver are
 * apart for the host; plain, it is the identity.  Looped, a thread runs the
 * device's loop and kicks are eventfds; else they are calls.
 *
 *	fix_init(&f, ways);
 *	rng_new(&d, &f.env, &err);
 *	fix_adopt(&f, d);
 *	fix_start(&f, features);
 *	vqd_add(&f.drv[0], ...);
 *	fix_kick(&f, 0);
 *	fix_wait(&f, 0, &head, &len);
 *	fix_fini(&f);		frees the device
 */
#ifndef MOAT_DEVICES_TESTS_DEV_FIXTURE_H
#define MOAT_DEVICES_TESTS_DEV_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/tests/fake_dma.h"
#include "virtio/device.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define FIX_SCATTERED 1u
#define FIX_LOOPED    2u
#define FIX_WAYS      4u /* combinations, for loop tests */

#define FIX_QUEUES 8
/* All queues' drivers together have rings and heaps of this size. */
#define FIX_SPACE MIB(4)
/* Mapped for nobody. */
#define FIX_NOWHERE UINT64_C(0x123456789000)

#define FIX_BASIC (BIT_ULL(VIRTIO_F_VERSION_1))
#define FIX_USUAL                                  \
	(FIX_BASIC | BIT_ULL(VIRTIO_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_F_RING_RESET))

struct dev_fixture {
	unsigned ways;
	struct gmem mem;
	struct dma plain;	   /* identity */
	struct fake_dma view, cpu; /* the device's and the driver's */
	struct loop *loop;	   /* NULL unless looped */
	pthread_t loop_thread;
	struct virtio_dev_env env;
	struct virtio_dev *d;
	struct fake_transport transport;
	struct vq_driver drv[FIX_QUEUES];
};

void fix_init(struct dev_fixture *f, unsigned ways);
/* @d is the fixture's from now on. */
void fix_adopt(struct dev_fixture *f, struct virtio_dev *d);
/* Reset, negotiate, connect every queue with fresh rings, DRIVER_OK. */
void fix_start(struct dev_fixture *f, uint64_t features);
void fix_fini(struct dev_fixture *f);

void fix_lock(struct dev_fixture *f);
void fix_unlock(struct dev_fixture *f);

/* Kick if the device wants to be; to @force it comes in any case. */
void fix_kick(struct dev_fixture *f, unsigned qi);
void fix_force_kick(struct dev_fixture *f, unsigned qi);

/* The next used chain; asserts that it comes within seconds. */
void fix_wait(struct dev_fixture *f, unsigned qi, uint32_t *ret_head,
	      uint32_t *ret_len);
/* Add, kick, wait.  Return: used.len. */
uint32_t fix_run(struct dev_fixture *f, unsigned qi, const struct vqd_buf *bufs,
		 unsigned n);

/* Wait until @done holds for @arg under the lock; asserts that it does. */
void fix_until(struct dev_fixture *f, bool (*done)(void *arg), void *arg);

bool fix_is_broken(struct dev_fixture *f);
/* Holds of the device's view; 0 when it is plain. */
unsigned fix_holds(struct dev_fixture *f);

#endif

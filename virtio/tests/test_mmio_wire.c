/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Queues that run side by side and have one wire between them.
 */
#include <check.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/tests/fake_irq.h"
#include "virtio/mmio.h"
#include "virtio/tests/echo_dev.h"
#include "virtio/tests/vq_driver.h"

#define BASE	 UINT64_C(0xd0000000)
#define MEM	 MIB(1)
#define RING_AT	 0x10000u
#define RING_LEN 0x20000u
#define SIZE	 64u
#define ACKS	 3000u

enum {
	R_QUEUE_SELECT = 0x30,
	R_READY = 0x44,
	R_INTERRUPT = 0x60,
	R_ACK = 0x64
};

static struct gmem mem;
static struct dma id;
static struct bus bus;
static struct fake_line line;
static struct echo_dev echo;
static struct vmmio v;
static struct vq_driver drv[ECHO_QUEUES];
static _Atomic bool over;

static uint32_t get(unsigned reg)
{
	return (uint32_t)bus_read(&bus, BASE + reg, 4);
}

static void set(unsigned reg, uint32_t val)
{
	ck_assert(bus_write(&bus, BASE + reg, 4, val));
}

static void up(void)
{
	const struct gmem_slot slot = {.base = 0, .size = MEM};
	struct virtio_dev *d = &echo.vdev;

	ck_assert_int_eq(gmem_init(&mem, &slot, 1, NULL), 0);
	dma_init(&id, &mem);
	bus_init(&bus);
	fake_line_init(&line);
	echo_dev_init(&echo, &id, SIZE);
	vmmio_init(&v, d, BASE, &line.line, NULL);
	ck_assert_int_eq(bus_attach(&bus, &v.region), 0);
	echo_dev_run(&echo);
	pthread_mutex_lock(&d->lock);
	ck_assert(vqd_negotiate(d, BIT_ULL(VIRTIO_F_VERSION_1)));
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		vqd_init(&drv[i], &id, RING_AT + i * RING_LEN, RING_LEN, SIZE);
		vqd_connect(&drv[i], d, i);
	}
	ck_assert(vqd_driver_ok(d));
	pthread_mutex_unlock(&d->lock);
}

static void down(void)
{
	pthread_mutex_lock(&echo.vdev.lock);
	virtio_reset(&echo.vdev);
	pthread_mutex_unlock(&echo.vdev.lock);
	vmmio_fini(&v);
	echo_dev_fini(&echo);
	fake_line_fini(&line);
	bus_fini(&bus);
	gmem_fini(&mem);
}

static void *drive(void *arg)
{
	const unsigned qi = (unsigned)(uintptr_t)arg;
	struct vq_driver *mine = &drv[qi];
	const struct vqd_buf buf = {mine->heap, 16, true};
	uint32_t head, len;

	while (!atomic_load(&over)) {
		(void)vqd_add(mine, &buf, 1);
		eventfd_signal(echo.vdev.vqs[qi].kick_fd);
		while (!vqd_get_used(mine, &head, &len))
			sched_yield();
	}
	return NULL;
}

START_TEST(status_and_level_of_the_wire_go_together)
{
	pthread_t threads[ECHO_QUEUES];
	uint32_t status;

	up();
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, drive,
						(void *)(uintptr_t)i),
				 0);
	for (unsigned acks = 0; acks < ACKS;) {
		status = get(R_INTERRUPT);
		set(R_ACK, status);
		acks += status != 0;
		set(R_QUEUE_SELECT, acks % ECHO_QUEUES);
		ck_assert_uint_eq(get(R_READY), 1);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		pthread_join(threads[i], NULL);
	/* With the locks that an interrupt comes under nothing moves. */
	pthread_mutex_lock(&echo.vdev.lock);
	virtio_lock_queues(&echo.vdev);
	ck_assert(fake_line_level(&line) == (v.interrupt_status != 0));
	virtio_unlock_queues(&echo.vdev);
	pthread_mutex_unlock(&echo.vdev.lock);
	set(R_ACK, UINT32_MAX);
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio/mmio_wire");
	TCase *tc = tcase_create("wire");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, status_and_level_of_the_wire_go_together);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

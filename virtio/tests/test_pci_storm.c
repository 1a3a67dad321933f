/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Queues that run side by side, and a driver that does everything to the
 * function in the middle of it.  What must not be shows in asserts, in a
 * queue that is served no more, and to the sanitizers.
 *
 * For a second; or as many as MOAT_STORM_SECONDS says.
 */
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/fd.h"
#include "pci/regs.h"
#include "virtio/tests/echo_dev.h"
#include "virtio/tests/vpci_rig.h"

/* Queues with a driver's thread; the last one is served on the vCPU. */
#define DRIVERS	    2u
#define PATIENCE_MS 20000

static struct vrig rig;
static struct echo_dev echo;
static uint64_t seed;

/* The drivers' threads: at it, or standing still. */
static _Atomic bool go, over;
static _Atomic unsigned at_it;
static _Atomic bool rude;

static void quiet(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static struct virtio_dev *make(struct dma *dma)
{
	echo_dev_init(&echo, dma, VRIG_SIZE);
	echo_dev_run(&echo);
	return &echo.vdev;
}

static void unmake(void)
{
	echo_dev_fini(&echo);
}

static unsigned any(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static void send(struct vq_driver *v, iova_t at)
{
	const struct vqd_buf buf = {at, 16, true};

	if (v->nfree > 0)
		(void)vqd_add(v, &buf, 1);
}

static void *drive(void *arg)
{
	const unsigned qi = (unsigned)(uintptr_t)arg;
	struct vq_driver *v = &rig.drv[qi];
	uint32_t head, len;

	while (!atomic_load(&over)) {
		if (!atomic_load(&go)) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(&at_it, 1);
		while (atomic_load(&go)) {
			send(v, v->heap);
			if (qi == 1 && atomic_exchange(&rude, false))
				vqd_set_avail_idx(v, v->published + 1000);
			eventfd_signal(rig.d->vqs[qi].kick_fd);
			while (vqd_get_used(v, &head, &len))
				;
		}
		atomic_fetch_sub(&at_it, 1);
	}
	return NULL;
}

static void stand_still(void)
{
	atomic_store(&go, false);
	while (atomic_load(&at_it) > 0)
		sched_yield();
}

/* Also of the queue that has no thread of its own. */
static void do_something(void)
{
	struct vq_stats s;

	switch (any(10)) {
	case 0: /* bus master off and on */
		vrig_command(&rig, 0, PCI_COMMAND_MASTER);
		vrig_command(&rig, PCI_COMMAND_MASTER, 0);
		break;
	case 1:
		vrig_pci_write(&rig, rig.msix + PCI_MSIX_CONTROL, 2,
			       any(2) ? PCI_MSIX_CONTROL_ENABLE : 0);
		break;
	case 2:
		vrig_unmask(&rig, any(VRIG_QUEUES + 1));
		break;
	case 3: /* the vector of a queue that runs */
		vrig_set(&rig, REG_QUEUE_SELECT, 2, any(VRIG_QUEUES));
		vrig_set(&rig, REG_QUEUE_VECTOR, 2, any(VRIG_QUEUES + 2));
		break;
	case 4:
		(void)vrig_read(&rig, rig.isr, 1);
		(void)vrig_pci_read(&rig, PCI_STATUS, 2);
		break;
	case 5:
		vrig_write(&rig, rig.config, 4, any(1000));
		break;
	case 6: /* each register */
		for (unsigned at = 0; at < 60; at++)
			(void)vrig_get(&rig, at, 1);
		break;
	case 7:
		virtio_get_stats(rig.d, &s);
		break;
	case 8: /* out of the drivers' way, and back */
		vrig_set(&rig, REG_QUEUE_SELECT, 2, VRIG_INLINE);
		vrig_set(&rig, REG_QUEUE_RESET, 2, 1);
		if (vrig_get(&rig, REG_QUEUE_RESET, 2) == 0 &&
		    vrig_get(&rig, REG_QUEUE_ENABLE, 2) == 0)
			vrig_setup_queue(&rig, VRIG_INLINE);
		break;
	case 9:
		send(&rig.drv[VRIG_INLINE], rig.drv[VRIG_INLINE].heap);
		(void)vrig_ring(&rig, VRIG_INLINE);
		break;
	}
}

static void restart(void)
{
	vrig_start(&rig);
	vrig_msix_on(&rig);
	for (unsigned i = 0; i <= VRIG_QUEUES; i++)
		vrig_unmask(&rig, i);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t length_ms(void)
{
	const char *text = getenv("MOAT_STORM_SECONDS");

	return 1000 * (text ? strtoull(text, NULL, 0) : 1);
}

/* Every queue of a device that has just been started. */
static void check_served(void)
{
	uint32_t head, len;

	for (unsigned qi = 0; qi < VRIG_QUEUES; qi++) {
		bool used = false;

		vrig_add(&rig, qi);
		(void)vrig_ring(&rig, qi);
		for (unsigned ms = 0; ms < PATIENCE_MS && !used; ms++) {
			used = vqd_get_used(&rig.drv[qi], &head, &len);
			if (!used)
				(void)poll(NULL, 0, 1);
		}
		ck_assert_msg(used, "queue %u is not served", qi);
	}
}

START_TEST(queues_and_registers_get_along)
{
	const struct vrig_options options = {.make = make, .unmake = unmake};
	const uint64_t until = now_ms() + length_ms();
	pthread_t threads[DRIVERS];
	unsigned rounds = 0;

	log_set_sink(quiet);
	vrig_init(&rig, &options);
	ck_assert(rig.d->queue_locks);
	for (unsigned i = 0; i < DRIVERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, drive,
						(void *)(uintptr_t)i),
				 0);
	do {
		restart();
		check_served();
		atomic_store(&go, true);
		for (unsigned n = any(40); n > 0; n--)
			do_something();
		atomic_store(&rude, rounds % 4 == 3);
		for (unsigned n = any(10); n > 0; n--)
			do_something();
		if (any(2))
			vrig_set(&rig, REG_STATUS, 1, 0);
		stand_still();
		rounds++;
	} while (now_ms() < until);
	atomic_store(&rude, false);
	atomic_store(&over, true);
	for (unsigned i = 0; i < DRIVERS; i++)
		pthread_join(threads[i], NULL);
	restart();
	check_served();
	if (getenv("MOAT_STORM_SECONDS"))
		fprintf(stderr, "%u rounds\n", rounds);
	vrig_set(&rig, REG_STATUS, 1, 0);
	vrig_fini(&rig);
	log_set_sink(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio/pci_storm");
	TCase *tc = tcase_create("storm");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, queues_and_registers_get_along);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Kicks and doorbells, at rest and on the move.   [virtio 1.2, 4.1.4.4]
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pci/regs.h"
#include "virtio/tests/vpci_rig.h"

#define BELLS 2 /* queues with a doorbell */

static struct vrig rig;

static void setup(void)
{
	vrig_init(&rig, NULL);
}

static void teardown(void)
{
	vrig_fini(&rig);
}

static void restart_with(const struct vrig_options *options)
{
	vrig_fini(&rig);
	vrig_init(&rig, options);
}

/* Whatever has been rung so far. */
static void forget_kicks(void)
{
	for (unsigned i = 0; i < VRIG_QUEUES; i++)
		(void)vrig_kicked(&rig, i);
	rig.dev.kicks = 0;
}

/*
 * Addresses.
 */

START_TEST(each_queue_has_an_address_of_its_own)
{
	ck_assert_uint_ge(rig.multiplier, 4);
	ck_assert_uint_ge(rig.notify_len, VRIG_QUEUES * rig.multiplier);
	for (unsigned i = 1; i < VRIG_QUEUES; i++)
		ck_assert_uint_ge(vrig_notify_at(&rig, i),
				  vrig_notify_at(&rig, i - 1) + 4);
}
END_TEST

START_TEST(kick_by_the_bus_reaches_its_queue_alone)
{
	restart_with(&(struct vrig_options){.no_doorbells = true});
	vrig_start(&rig);
	for (unsigned i = 0; i < BELLS; i++) {
		ck_assert(vrig_ring(&rig, i));
		for (unsigned k = 0; k < BELLS; k++)
			ck_assert(vrig_kicked(&rig, k) == (k == i));
		ck_assert_uint_eq(rig.dev.kicks, 0);
	}
}
END_TEST

START_TEST(kick_of_any_size_and_offset_counts)
{
	restart_with(&(struct vrig_options){.no_doorbells = true});
	vrig_start(&rig);
	for (unsigned off = 0; off < 8; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			if (off + size > rig.notify_len)
				continue;
			vrig_write(&rig, rig.notify + off, size, UINT64_MAX);
			ck_assert(vrig_kicked(&rig, off / 4));
			ck_assert(!vrig_kicked(&rig, !(off / 4)));
		}
	}
}
END_TEST

START_TEST(notify_structure_reads_zero_and_has_an_end)
{
	ck_assert_uint_eq(vrig_read(&rig, rig.notify, 8), 0);
	vrig_write(&rig, rig.notify + rig.notify_len, 4, 0);
	ck_assert_uint_eq(vrig_read(&rig, rig.notify + rig.notify_len, 4),
			  0xffffffff);
}
END_TEST

START_TEST(inline_queue_is_served_on_the_vcpu)
{
	vrig_start(&rig);
	ck_assert_int_eq(fake_doorbell_fd(&rig.bells,
					  vrig_notify_at(&rig, VRIG_INLINE)),
			 -1);
	vrig_add(&rig, VRIG_INLINE);
	ck_assert(vrig_ring(&rig, VRIG_INLINE));
	ck_assert_uint_eq(rig.dev.kicks, 1);
	ck_assert_uint_eq(rig.dev.done, 1);
}
END_TEST

START_TEST(kick_before_driver_ok_serves_nothing)
{
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	vrig_negotiate(&rig, rig.d->offered);
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_setup_queue(&rig, i);
		vrig_ring(&rig, i);
	}
	ck_assert_uint_eq(rig.dev.kicks, 0);
}
END_TEST

/*
 * Doorbells.
 */

START_TEST(doorbells_come_with_driver_ok_and_go_with_reset)
{
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	vrig_negotiate(&rig, rig.d->offered);
	for (unsigned i = 0; i < VRIG_QUEUES; i++)
		vrig_setup_queue(&rig, i);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	vrig_set(&rig, REG_STATUS, 1, 15);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), BELLS);
	for (unsigned i = 0; i < BELLS; i++)
		ck_assert_int_eq(fake_doorbell_fd(&rig.bells,
						  vrig_notify_at(&rig, i)),
				 rig.d->vqs[i].kick_fd);
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
}
END_TEST

/* Each change would make the kernel wait for its readers. */
START_TEST(enumeration_touches_no_doorbell)
{
	for (unsigned i = 0; i < 10; i++)
		vrig_move(&rig, VRIG_FREE + i * 0x100000);
	ck_assert_uint_eq(rig.bells.attaches, 0);
}
END_TEST

START_TEST(queue_that_is_not_enabled_has_no_doorbell)
{
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	vrig_negotiate(&rig, rig.d->offered);
	vrig_setup_queue(&rig, 1);
	vrig_set(&rig, REG_STATUS, 1, 15);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 1);
	ck_assert_int_eq(fake_doorbell_fd(&rig.bells, vrig_notify_at(&rig, 0)),
			 -1);
}
END_TEST

START_TEST(queue_that_was_reset_gets_its_doorbell_back)
{
	vrig_start(&rig);
	vrig_set(&rig, REG_QUEUE_SELECT, 2, 0);
	vrig_set(&rig, REG_QUEUE_RESET, 2, 1);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 1);
	vrig_setup_queue(&rig, 0);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), BELLS);
}
END_TEST

START_TEST(refused_doorbell_means_kicks_by_the_bus)
{
	rig.bells.attach_error = -ENOSPC;
	vrig_start(&rig);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	ck_assert(vrig_ring(&rig, 0));
	ck_assert(vrig_kicked(&rig, 0));
	/* The next change of any kind tries again. */
	rig.bells.attach_error = 0;
	vrig_move(&rig, VRIG_FREE);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), BELLS);
}
END_TEST

/*
 * Moves.
 */

START_TEST(doorbells_follow_the_bar)
{
	uint64_t old[BELLS];

	vrig_start(&rig);
	for (unsigned i = 0; i < BELLS; i++)
		old[i] = vrig_notify_at(&rig, i);
	vrig_move(&rig, VRIG_FREE);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), BELLS);
	for (unsigned i = 0; i < BELLS; i++) {
		ck_assert_int_eq(fake_doorbell_fd(&rig.bells, old[i]), -1);
		ck_assert_int_eq(fake_doorbell_fd(&rig.bells,
						  vrig_notify_at(&rig, i)),
				 rig.d->vqs[i].kick_fd);
	}
}
END_TEST

START_TEST(no_doorbell_rings_while_decoding_is_off)
{
	vrig_start(&rig);
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	vrig_command(&rig, PCI_COMMAND_MEMORY, 0);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), BELLS);
}
END_TEST

START_TEST(kick_lost_on_the_way_is_made_up_for)
{
	uint64_t at;

	vrig_start(&rig);
	at = vrig_notify_at(&rig, 0);
	forget_kicks();
	vrig_add(&rig, VRIG_INLINE);
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
	ck_assert(!fake_doorbell_write(&rig.bells, &rig.mmio, at, 2, 0));
	ck_assert(!vrig_kicked(&rig, 0));
	vrig_pci_write(&rig, PCI_BAR0, 8, VRIG_FREE);
	vrig_command(&rig, PCI_COMMAND_MEMORY, 0);
	for (unsigned i = 0; i < BELLS; i++)
		ck_assert(vrig_kicked(&rig, i));
	ck_assert_uint_eq(rig.dev.done, 1);
}
END_TEST

START_TEST(queue_that_does_not_run_is_not_kicked_by_a_move)
{
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	vrig_negotiate(&rig, rig.d->offered);
	vrig_setup_queue(&rig, 1);
	vrig_set(&rig, REG_STATUS, 1, 15);
	forget_kicks();
	vrig_move(&rig, VRIG_FREE);
	ck_assert(!vrig_kicked(&rig, 0));
	ck_assert(vrig_kicked(&rig, 1));
	ck_assert_uint_eq(rig.dev.kicks, 0);
}
END_TEST

START_TEST(move_onto_ram_loses_no_kick_for_good)
{
	vrig_start(&rig);
	forget_kicks();
	vrig_move(&rig, 0);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	ck_assert(!vrig_kicked(&rig, 0));
	vrig_move(&rig, VRIG_FREE);
	ck_assert(vrig_kicked(&rig, 0));
}
END_TEST

/*
 * A driver on one vCPU adds buffers and rings; another moves the BAR.  Each
 * buffer must be used in the end.  The driver learns the new address when the
 * BAR register has it, before decoding is on, as on a real machine.
 */

#define ROUNDS 2000

static pthread_rwlock_t current_lock = PTHREAD_RWLOCK_INITIALIZER;
static uint64_t current; /* notify address of queue 0 */
static atomic_bool rung_all;

static void *drive(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t head, len;

		pthread_rwlock_rdlock(&current_lock);
		while (rig.drv[0].nfree == 0) {
			pthread_rwlock_unlock(&current_lock);
			while (vqd_get_used(&rig.drv[0], &head, &len))
				;
			sched_yield();
			pthread_rwlock_rdlock(&current_lock);
		}
		(void)vqd_add(&rig.drv[0],
			      &(struct vqd_buf){
				      .at = 0x1000, .len = 16, .write = true},
			      1);
		if (vqd_wants_kick(&rig.drv[0]))
			(void)fake_doorbell_write(&rig.bells, &rig.mmio,
						  current, 2, 0);
		pthread_rwlock_unlock(&current_lock);
	}
	atomic_store(&rung_all, true);
	return NULL;
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void move_under_way(uint64_t to, uint64_t notify)
{
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
	vrig_pci_write(&rig, PCI_BAR0, 4, to & 0xffffffff);
	vrig_pci_write(&rig, PCI_BAR0 + 4, 4, to >> 32);
	pthread_rwlock_wrlock(&current_lock);
	current = to + notify;
	pthread_rwlock_unlock(&current_lock);
	sched_yield();
	vrig_command(&rig, PCI_COMMAND_MEMORY, 0);
}

static unsigned served(void)
{
	unsigned done;

	pthread_mutex_lock(&rig.d->lock);
	done = rig.dev.done;
	pthread_mutex_unlock(&rig.d->lock);
	return done;
}

START_TEST(no_kick_is_lost_while_the_bar_moves)
{
	pthread_t loop_thread, driver;
	unsigned i = 0;

	restart_with(&(struct vrig_options){.with_loop = true});
	vrig_start(&rig);
	current = vrig_notify_at(&rig, 0);
	atomic_store(&rung_all, false);
	ck_assert_int_eq(pthread_create(&loop_thread, NULL, run_loop, rig.loop),
			 0);
	ck_assert_int_eq(pthread_create(&driver, NULL, drive, NULL), 0);
	while (!atomic_load(&rung_all))
		move_under_way(VRIG_FREE + i++ % 2 * 0x1000000, rig.notify);
	pthread_join(driver, NULL);
	/* The test's time-out is the judge. */
	while (served() < ROUNDS)
		sched_yield();
	loop_stop(rig.loop);
	pthread_join(loop_thread, NULL);
	ck_assert_uint_eq(served(), ROUNDS);
}
END_TEST

static TCase *kick_cases(void)
{
	TCase *tc = tcase_create("kicks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_queue_has_an_address_of_its_own);
	tcase_add_test(tc, kick_by_the_bus_reaches_its_queue_alone);
	tcase_add_test(tc, kick_of_any_size_and_offset_counts);
	tcase_add_test(tc, notify_structure_reads_zero_and_has_an_end);
	tcase_add_test(tc, inline_queue_is_served_on_the_vcpu);
	tcase_add_test(tc, kick_before_driver_ok_serves_nothing);
	tcase_add_test(tc, doorbells_come_with_driver_ok_and_go_with_reset);
	tcase_add_test(tc, enumeration_touches_no_doorbell);
	tcase_add_test(tc, queue_that_is_not_enabled_has_no_doorbell);
	tcase_add_test(tc, queue_that_was_reset_gets_its_doorbell_back);
	tcase_add_test(tc, refused_doorbell_means_kicks_by_the_bus);
	return tc;
}

static TCase *move_cases(void)
{
	TCase *tc = tcase_create("moves");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, doorbells_follow_the_bar);
	tcase_add_test(tc, no_doorbell_rings_while_decoding_is_off);
	tcase_add_test(tc, kick_lost_on_the_way_is_made_up_for);
	tcase_add_test(tc, queue_that_does_not_run_is_not_kicked_by_a_move);
	tcase_add_test(tc, move_onto_ram_loses_no_kick_for_good);
	tcase_add_test(tc, no_kick_is_lost_while_the_bar_moves);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("virtio/pci_notify");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, kick_cases());
	suite_add_tcase(s, move_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

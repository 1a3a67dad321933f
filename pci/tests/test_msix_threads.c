/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Vectors that several threads raise while the driver masks them.  The fake
 * sink asserts that only connected lines are raised; the sanitizers look on.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pci/msix.h"
#include "pci/regs.h"
#include "pci/tests/pci_rig.h"

#define THREADS 2u
#define SHARED	2u /* the vector of all of them; each has one besides */
#define ROUNDS	2000u

static struct rig rig;
static struct msix *m;
static _Atomic bool over;

static void control(uint16_t val)
{
	rig_write(&rig, 0, rig.funcs[0].cap + 20 + PCI_MSIX_CONTROL, 2, val);
}

static uint64_t entry_at(unsigned vector)
{
	return pci_bar_address(&rig.funcs[0].func, 0) + RIG_TABLE +
	       (uint64_t)vector * PCI_MSIX_ENTRY_SIZE;
}

static void set_mask(unsigned vector, bool masked)
{
	bus_write(&rig.mmio, entry_at(vector) + 12, 4, masked);
}

static void set_message(unsigned vector, uint32_t data)
{
	bus_write(&rig.mmio, entry_at(vector), 8, 0xfee00000);
	bus_write(&rig.mmio, entry_at(vector) + 8, 4, data);
}

static uint64_t pending(void)
{
	return bus_read(&rig.mmio,
			pci_bar_address(&rig.funcs[0].func, 0) + RIG_PBA, 8);
}

static void *storm(void *arg)
{
	const unsigned vector = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&over)) {
		msix_raise(m, vector);
		msix_raise(m, SHARED);
	}
	return NULL;
}

static void change_something(unsigned i)
{
	const unsigned vector = i % RIG_VECTORS;

	switch (i % 7) {
	case 0:
	case 1:
		set_mask(vector, true);
		break;
	case 2:
		set_message(vector, 0x40 + i % 5);
		break;
	case 3:
		control(PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
		break;
	case 4:
		msix_clear_pending(m, vector);
		break;
	case 5:
		control(i % 3 ? PCI_MSIX_CONTROL_ENABLE : 0);
		break;
	case 6:
		(void)pending();
		break;
	}
	set_mask((vector + 1) % RIG_VECTORS, false);
	control(PCI_MSIX_CONTROL_ENABLE);
}

START_TEST(raising_threads_and_a_masking_driver_agree)
{
	pthread_t threads[THREADS];
	unsigned before;

	rig_init(&rig, NULL);
	m = rig.funcs[0].func.msix;
	msix_share(m);
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	atomic_store(&over, false);
	for (unsigned t = 0; t < THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, storm,
						(void *)(uintptr_t)t),
				 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		change_something(i);
		if (i % 16 == 0)
			sched_yield();
	}
	for (unsigned v = 0; v < RIG_VECTORS; v++)
		set_mask(v, false);
	atomic_store(&over, true);
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	/* Nothing is left behind, and every vector goes through. */
	ck_assert_uint_eq(pending(), 0);
	before = fake_msi_count(&rig.msi);
	for (unsigned v = 0; v < RIG_VECTORS; v++)
		msix_raise(m, v);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), before + RIG_VECTORS);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pci/msix_threads");
	TCase *tc = tcase_create("threads");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, raising_threads_and_a_masking_driver_agree);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

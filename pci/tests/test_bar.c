/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/bits.h"
#include "pci/regs.h"
#include "pci/tests/pci_rig.h"

#define FREE64 (RIG_MMIO64 + 0x10000000)
#define FREE32 UINT64_C(0xc0800000)
#define BAR2   (PCI_BAR0 + 8)

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, NULL);
}

static void teardown(void)
{
	rig_fini(&rig);
}

static uint64_t home(unsigned fn, unsigned bar)
{
	return pci_bar_address(&rig.funcs[fn].func, bar);
}

static bool mapped(unsigned fn, unsigned bar)
{
	return rig.funcs[fn].func.bars[bar].mapped;
}

static void move_bar2(unsigned fn, uint64_t to)
{
	rig_command(&rig, fn, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, fn, BAR2, 4, to);
	rig_command(&rig, fn, PCI_COMMAND_MEMORY, 0);
}

/*
 * Sizing.   [PCI 3.0, 6.2.5.1]
 */

START_TEST(ones_read_back_as_size_of_64_bit_bar)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, PCI_BAR0, 4, 0xffffffff);
	rig_write(&rig, 0, PCI_BAR0 + 4, 4, 0xffffffff);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_BAR0, 4), 0xffff000c);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_BAR0 + 4, 4), 0xffffffff);
}
END_TEST

START_TEST(ones_read_back_as_size_of_32_bit_bar)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, BAR2, 4, 0xffffffff);
	ck_assert_uint_eq(rig_read(&rig, 0, BAR2, 4), 0xfffff000);
}
END_TEST

START_TEST(absent_bars_read_zero)
{
	for (unsigned off = BAR2 + 4; off < 0x28; off += 4) {
		rig_write(&rig, 0, off, 4, 0xffffffff);
		ck_assert_uint_eq(rig_read(&rig, 0, off, 4), 0);
	}
}
END_TEST

START_TEST(sizing_and_restoring_changes_nothing)
{
	uint64_t at = home(0, 0);

	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, PCI_BAR0, 8, UINT64_MAX);
	rig_write(&rig, 0, PCI_BAR0, 8, at);
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert(rig_answers(&rig, 0, at));
}
END_TEST

/* Careless software sizes with decoding on. */
START_TEST(sizing_with_decoding_on_does_no_harm)
{
	uint64_t at = home(0, 0), at2 = home(0, 2);

	for (unsigned off = PCI_BAR0; off < 0x28; off += 4) {
		uint64_t old = rig_read(&rig, 0, off, 4);

		rig_write(&rig, 0, off, 4, 0xffffffff);
		rig_write(&rig, 0, off, 4, old);
	}
	ck_assert(rig_answers(&rig, 0, at));
	ck_assert(rig_answers(&rig, 0, at2 + RIG_BAR2_REGS));
}
END_TEST

START_TEST(smallest_and_largest_bars_size_right)
{
	static struct rig_func rf;

	rig_func_init(&rf, "x", 0, NULL);
	pci_bar_init(&rf.func, 3, 16, false, false);
	pci_bar_init(&rf.func, 4, UINT64_C(1) << 63, true, false);
	pci_func_config_write(&rf.func, PCI_BAR0 + 12, 4, 0xffffffff);
	pci_func_config_write(&rf.func, PCI_BAR0 + 16, 8, UINT64_MAX);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, PCI_BAR0 + 12, 4),
			  0xfffffff0);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, PCI_BAR0 + 16, 8),
			  0x8000000000000004);
	pci_bar_init(&rf.func, 3, GIB(2), false, true);
	pci_func_config_write(&rf.func, PCI_BAR0 + 12, 4, 0xffffffff);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, PCI_BAR0 + 12, 4),
			  0x80000008);
	rig_func_fini(&rf);
}
END_TEST

/*
 * Assignment.
 */

START_TEST(assigned_bars_answer_where_they_say)
{
	for (unsigned i = 0; i < RIG_FUNCS; i++) {
		ck_assert_uint_ge(home(i, 0), RIG_MMIO64);
		ck_assert_uint_eq(home(i, 0) % RIG_BAR0_SIZE, 0);
		ck_assert_uint_ge(home(i, 2), RIG_MMIO32);
		ck_assert(rig_answers(&rig, i, home(i, 0)));
		ck_assert(rig_answers(&rig, i, home(i, 2) + RIG_BAR2_REGS));
	}
}
END_TEST

START_TEST(holes_of_a_bar_read_ones)
{
	ck_assert_uint_eq(bus_read(&rig.mmio, home(0, 2), 4), 0xffffffff);
	ck_assert_uint_eq(
		bus_read(&rig.mmio, home(0, 0) + RIG_REGS_SIZE - 1, 2), 0xffff);
}
END_TEST

START_TEST(without_decoding_nothing_answers)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	ck_assert(!rig_answers(&rig, 0, home(0, 0)));
	ck_assert(!rig_answers(&rig, 0, home(0, 2) + RIG_BAR2_REGS));
	ck_assert(rig_answers(&rig, 1, home(1, 0)));
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert(rig_answers(&rig, 0, home(0, 0)));
}
END_TEST

/*
 * Moves.
 */

START_TEST(move_is_committed_when_decoding_is_enabled)
{
	uint64_t old = home(0, 0);

	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	ck_assert_uint_eq(rig.funcs[0].unmapped[0], 1);
	rig_write(&rig, 0, PCI_BAR0, 4, FREE64 & 0xffffffff);
	rig_write(&rig, 0, PCI_BAR0 + 4, 4, FREE64 >> 32);
	ck_assert(!rig_answers(&rig, 0, old));
	ck_assert(!rig_answers(&rig, 0, FREE64));
	ck_assert_uint_eq(rig.funcs[0].mapped[0], 1);
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert(!rig_answers(&rig, 0, old));
	ck_assert(rig_answers(&rig, 0, FREE64));
	ck_assert_uint_eq(rig.funcs[0].mapped[0], 2);
	ck_assert_uint_eq(rig.funcs[0].mapped_at[0], FREE64);
}
END_TEST

START_TEST(wide_writes_move_a_bar)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, PCI_BAR0, 8, FREE64);
	rig_write(&rig, 0, PCI_COMMAND, 8, PCI_COMMAND_MEMORY);
	ck_assert(rig_answers(&rig, 0, FREE64));
}
END_TEST

START_TEST(rewriting_the_same_address_does_not_unmap)
{
	rig_write(&rig, 0, PCI_BAR0, 8, home(0, 0));
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert_uint_eq(rig.funcs[0].mapped[0], 1);
	ck_assert_uint_eq(rig.funcs[0].unmapped[0], 0);
}
END_TEST

START_TEST(live_move_of_32_bit_bar_takes_effect_at_once)
{
	uint64_t old = home(0, 2);

	rig_write(&rig, 0, BAR2, 4, FREE32);
	ck_assert(!rig_answers(&rig, 0, old + RIG_BAR2_REGS));
	ck_assert(rig_answers(&rig, 0, FREE32 + RIG_BAR2_REGS));
}
END_TEST

START_TEST(live_move_of_64_bit_bar_passes_through_mixed_halves)
{
	uint64_t to = FREE64 + GIB(4);
	uint64_t mixed =
		(home(0, 0) & ~UINT64_C(0xffffffff)) | (to & 0xffffffff);

	rig_write(&rig, 0, PCI_BAR0, 4, to & 0xffffffff);
	ck_assert(rig_answers(&rig, 0, mixed));
	rig_write(&rig, 0, PCI_BAR0 + 4, 4, to >> 32);
	ck_assert(!rig_answers(&rig, 0, mixed));
	ck_assert(rig_answers(&rig, 0, to));
}
END_TEST

START_TEST(byte_writes_move_a_bar)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < 8; i++)
		rig_write(&rig, 0, PCI_BAR0 + i, 1, FREE64 >> 8 * i & 0xff);
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert(rig_answers(&rig, 0, FREE64));
}
END_TEST

START_TEST(guests_without_windows_place_bars_anywhere_free)
{
	rig_move_bar0(&rig, 0, 0x100000000);
	move_bar2(0, 0x90000000);
	ck_assert(rig_answers(&rig, 0, 0x100000000));
	ck_assert(rig_answers(&rig, 0, 0x90000000 + RIG_BAR2_REGS));
}
END_TEST

START_TEST(top_of_the_space_does_not_wrap)
{
	rig_move_bar0(&rig, 0, UINT64_MAX - RIG_BAR0_SIZE + 1);
	ck_assert(rig_answers(&rig, 0, UINT64_MAX - RIG_BAR0_SIZE + 1));
	ck_assert_uint_eq(bus_read(&rig.mmio, 0, 4), 0xffffffff);
	rig_move_bar0(&rig, 0, FREE64);
	ck_assert(rig_answers(&rig, 0, FREE64));
}
END_TEST

/*
 * Places that are taken.
 */

static void refused_then_free(uint64_t taken)
{
	rig_move_bar0(&rig, 0, taken);
	ck_assert(!mapped(0, 0));
	ck_assert(!rig_answers(&rig, 0, taken));
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_BAR0, 8), taken | 0xc);
	/* Its other BAR is not touched by that. */
	ck_assert(rig_answers(&rig, 0, home(0, 2) + RIG_BAR2_REGS));
	rig_move_bar0(&rig, 0, FREE64);
	ck_assert(rig_answers(&rig, 0, FREE64));
}

START_TEST(bar_on_ram_stays_unmapped)
{
	refused_then_free(0);
	refused_then_free(align_down(RIG_RAM_LAST, RIG_BAR0_SIZE));
}
END_TEST

START_TEST(bar_behind_ram_is_mapped)
{
	rig_move_bar0(&rig, 0, RIG_RAM_LAST + 1);
	ck_assert(rig_answers(&rig, 0, RIG_RAM_LAST + 1));
}
END_TEST

START_TEST(bar_on_interrupt_controller_stays_unmapped)
{
	refused_then_free(RIG_LAPIC);
}
END_TEST

START_TEST(bar_on_ecam_stays_unmapped)
{
	refused_then_free(RIG_ECAM);
	refused_then_free(RIG_ECAM + PCI_ECAM_SIZE - RIG_BAR0_SIZE);
	ck_assert_uint_eq(rig_read(&rig, 0, 0, 4), 0x56781234);
	/* What the bus refused is not marked as taken. */
	ck_assert_uint_eq(rig.host.placed.n, 2 * RIG_FUNCS);
}
END_TEST

START_TEST(bar_on_another_functions_bar_stays_unmapped)
{
	uint64_t theirs = home(1, 0);

	refused_then_free(theirs);
	ck_assert(rig_answers(&rig, 1, theirs));
}
END_TEST

/* Not one byte of it answers, but the whole BAR is taken. */
START_TEST(bar_on_the_hole_of_another_bar_stays_unmapped)
{
	rig_move_bar0(&rig, 1, FREE32);
	move_bar2(0, FREE32 + 0x4000);
	ck_assert(!mapped(0, 2));
	move_bar2(0, FREE32 + RIG_BAR0_SIZE);
	ck_assert(rig_answers(&rig, 0, FREE32 + RIG_BAR0_SIZE + RIG_BAR2_REGS));
	move_bar2(0, FREE32 - RIG_BAR2_SIZE);
	ck_assert(rig_answers(&rig, 0, FREE32 - RIG_BAR2_SIZE + RIG_BAR2_REGS));
}
END_TEST

START_TEST(bar_around_a_smaller_bar_stays_unmapped)
{
	move_bar2(1, FREE32 + RIG_BAR0_SIZE - RIG_BAR2_SIZE);
	refused_then_free(FREE32);
}
END_TEST

START_TEST(bars_of_one_function_do_not_overlap)
{
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, PCI_BAR0, 8, FREE32);
	rig_write(&rig, 0, BAR2, 4, FREE32 + 0x1000);
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	ck_assert(mapped(0, 0));
	ck_assert(!mapped(0, 2));
	rig_write(&rig, 0, BAR2, 4, FREE32 + RIG_BAR0_SIZE);
	ck_assert(mapped(0, 2));
}
END_TEST

START_TEST(bars_of_one_function_change_places_in_one_go)
{
	uint64_t other = FREE32 + RIG_BAR0_SIZE;

	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_write(&rig, 0, PCI_BAR0, 8, FREE32);
	rig_write(&rig, 0, BAR2, 4, other);
	rig_command(&rig, 0, PCI_COMMAND_MEMORY, 0);
	/* 0x10 to 0x17 are BAR 0; live, one after the other. */
	rig_write(&rig, 0, PCI_BAR0, 8, other);
	ck_assert(!mapped(0, 0));
	rig_write(&rig, 0, BAR2, 4, FREE32);
	ck_assert(rig_answers(&rig, 0, other));
	ck_assert(rig_answers(&rig, 0, FREE32 + RIG_BAR2_REGS));
}
END_TEST

/* Linux does this when it rescans: every BAR gets a new place, one function
 * after the other, and decoding is not written again later. */
START_TEST(bar_waits_until_its_place_is_free)
{
	uint64_t theirs = home(1, 0);

	rig_move_bar0(&rig, 0, theirs);
	ck_assert(!mapped(0, 0));
	rig_move_bar0(&rig, 1, FREE64);
	ck_assert(mapped(0, 0));
	ck_assert(rig_answers(&rig, 0, theirs));
	ck_assert(rig_answers(&rig, 1, FREE64));
}
END_TEST

START_TEST(three_functions_rotate_their_places)
{
	uint64_t at[RIG_FUNCS];

	for (unsigned i = 0; i < RIG_FUNCS; i++)
		at[i] = home(i, 0);
	for (unsigned i = 0; i < RIG_FUNCS; i++)
		rig_move_bar0(&rig, i, at[(i + 1) % RIG_FUNCS]);
	for (unsigned i = 0; i < RIG_FUNCS; i++)
		ck_assert(rig_answers(&rig, i, at[(i + 1) % RIG_FUNCS]));
}
END_TEST

START_TEST(waiting_bar_gives_up_when_decoding_goes_off)
{
	uint64_t theirs = home(1, 0);

	rig_move_bar0(&rig, 0, theirs);
	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	rig_move_bar0(&rig, 1, FREE64);
	ck_assert(!mapped(0, 0));
}
END_TEST

/*
 * Accesses from within.
 */

START_TEST(bar_is_read_and_written_without_the_bus)
{
	struct pci_func *f = &rig.funcs[0].func;

	rig_command(&rig, 0, 0, PCI_COMMAND_MEMORY);
	pci_bar_write(f, 0, 8, 4, 0x11223344);
	ck_assert_uint_eq(pci_bar_read(f, 0, 8, 4), 0x11223344);
	ck_assert_uint_eq(pci_bar_read(f, 0, 9, 2), 0x2233);
	pci_bar_write(f, 2, RIG_BAR2_REGS, 1, 0x5a);
	ck_assert_uint_eq(rig.funcs[0].regs2.bytes[0], 0x5a);
}
END_TEST

START_TEST(guest_chosen_bar_and_offset_are_checked)
{
	static const uint64_t offs[] = {RIG_REGS_SIZE,	RIG_REGS_SIZE - 1,
					RIG_BAR0_SIZE,	RIG_BAR0_SIZE - 1,
					UINT32_MAX,	UINT64_MAX,
					UINT64_MAX - 3, RIG_PBA + 8};
	static const unsigned bars[] = {0, 1, 2, 3, 5, 6, 7, 255, UINT32_MAX};
	struct pci_func *f = &rig.funcs[0].func;

	for (unsigned i = 0; i < ARRAY_SIZE(bars); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(offs); k++) {
			pci_bar_write(f, bars[i], offs[k], 4, 0);
			ck_assert_uint_eq(pci_bar_read(f, bars[i], offs[k], 4),
					  0xffffffff);
		}
	}
	ck_assert_uint_eq(rig.funcs[0].regs0.writes, 0);
}
END_TEST

/*
 * A second vCPU.
 */

static atomic_bool done;

static void *reader(void *arg)
{
	const uint64_t *at = arg;

	while (!atomic_load(&done)) {
		for (unsigned i = 0; i < 2; i++) {
			uint64_t val = bus_read(&rig.mmio, at[i], 4);

			ck_assert(val == 0xffffffff || val == 0x600df00d);
		}
	}
	return NULL;
}

START_TEST(reads_during_moves_see_the_register_or_nothing)
{
	uint64_t at[2] = {home(0, 0), FREE64};
	pthread_t thread;

	bus_write(&rig.mmio, at[0], 4, 0x600df00d);
	atomic_store(&done, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, reader, at), 0);
	for (unsigned i = 0; i < 2000; i++)
		rig_move_bar0(&rig, 0, at[(i + 1) % 2]);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(bus_read(&rig.mmio, at[0], 4), 0x600df00d);
}
END_TEST

static void *mover(void *arg)
{
	const uint64_t *at = arg;

	for (unsigned i = 0; i < 1000; i++)
		rig_move_bar0(&rig, 1, at[i % 2]);
	return NULL;
}

/* Both want the same two places all the time; in the end both have one. */
START_TEST(two_vcpus_fight_for_places_and_settle)
{
	uint64_t at[2] = {home(0, 0), home(1, 0)};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, mover, at), 0);
	for (unsigned i = 0; i < 1000; i++)
		rig_move_bar0(&rig, 0, at[i % 2]);
	pthread_join(thread, NULL);
	rig_move_bar0(&rig, 0, at[0]);
	ck_assert(mapped(0, 0));
	ck_assert(mapped(1, 0));
}
END_TEST

static TCase *sizing_cases(void)
{
	TCase *tc = tcase_create("sizing");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ones_read_back_as_size_of_64_bit_bar);
	tcase_add_test(tc, ones_read_back_as_size_of_32_bit_bar);
	tcase_add_test(tc, absent_bars_read_zero);
	tcase_add_test(tc, sizing_and_restoring_changes_nothing);
	tcase_add_test(tc, sizing_with_decoding_on_does_no_harm);
	tcase_add_test(tc, smallest_and_largest_bars_size_right);
	tcase_add_test(tc, assigned_bars_answer_where_they_say);
	tcase_add_test(tc, holes_of_a_bar_read_ones);
	tcase_add_test(tc, without_decoding_nothing_answers);
	tcase_add_test(tc, bar_is_read_and_written_without_the_bus);
	tcase_add_test(tc, guest_chosen_bar_and_offset_are_checked);
	return tc;
}

static TCase *move_cases(void)
{
	TCase *tc = tcase_create("moves");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, move_is_committed_when_decoding_is_enabled);
	tcase_add_test(tc, wide_writes_move_a_bar);
	tcase_add_test(tc, rewriting_the_same_address_does_not_unmap);
	tcase_add_test(tc, live_move_of_32_bit_bar_takes_effect_at_once);
	tcase_add_test(tc, live_move_of_64_bit_bar_passes_through_mixed_halves);
	tcase_add_test(tc, byte_writes_move_a_bar);
	tcase_add_test(tc, guests_without_windows_place_bars_anywhere_free);
	tcase_add_test(tc, top_of_the_space_does_not_wrap);
	tcase_add_test(tc, reads_during_moves_see_the_register_or_nothing);
	return tc;
}

static TCase *overlap_cases(void)
{
	TCase *tc = tcase_create("overlaps");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bar_on_ram_stays_unmapped);
	tcase_add_test(tc, bar_behind_ram_is_mapped);
	tcase_add_test(tc, bar_on_interrupt_controller_stays_unmapped);
	tcase_add_test(tc, bar_on_ecam_stays_unmapped);
	tcase_add_test(tc, bar_on_another_functions_bar_stays_unmapped);
	tcase_add_test(tc, bar_on_the_hole_of_another_bar_stays_unmapped);
	tcase_add_test(tc, bar_around_a_smaller_bar_stays_unmapped);
	tcase_add_test(tc, bars_of_one_function_do_not_overlap);
	tcase_add_test(tc, bars_of_one_function_change_places_in_one_go);
	tcase_add_test(tc, bar_waits_until_its_place_is_free);
	tcase_add_test(tc, three_functions_rotate_their_places);
	tcase_add_test(tc, waiting_bar_gives_up_when_decoding_goes_off);
	tcase_add_test(tc, two_vcpus_fight_for_places_and_settle);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("pci/bar");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, sizing_cases());
	suite_add_tcase(s, move_cases());
	suite_add_tcase(s, overlap_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

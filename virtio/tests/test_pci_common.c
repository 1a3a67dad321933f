/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The common configuration structure.   [virtio 1.2, 4.1.4.3]
 */
#include <check.h>
#include <stdlib.h>

#include "core/log.h"
#include "virtio/tests/vpci_rig.h"

#define COMMON_LEN 60

static struct vrig rig;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void setup(void)
{
	log_set_sink(drop_line);
	vrig_init(&rig, NULL);
}

static void teardown(void)
{
	vrig_fini(&rig);
	log_set_sink(NULL);
}

/* As far as a queue's registers can be written. */
static void reach_features_ok(void)
{
	vrig_command(&rig, 4, 0);
	vrig_negotiate(&rig, rig.d->offered);
}

/*
 * Features.
 */

START_TEST(features_are_read_by_halves)
{
	vrig_set(&rig, REG_DEVICE_FEATURE_SELECT, 4, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE, 4),
			  (uint32_t)rig.d->offered);
	vrig_set(&rig, REG_DEVICE_FEATURE_SELECT, 4, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE, 4),
			  rig.d->offered >> 32);
}
END_TEST

START_TEST(feature_selects_past_one_read_zero)
{
	static const uint32_t selects[] = {2, 3, 0x7fffffff, 0xffffffff};

	reach_features_ok();
	for (unsigned i = 0; i < ARRAY_SIZE(selects); i++) {
		vrig_set(&rig, REG_DEVICE_FEATURE_SELECT, 4, selects[i]);
		vrig_set(&rig, REG_DRIVER_FEATURE_SELECT, 4, selects[i]);
		vrig_set(&rig, REG_DRIVER_FEATURE, 4, UINT32_MAX);
		ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE, 4), 0);
		ck_assert_uint_eq(vrig_get(&rig, REG_DRIVER_FEATURE, 4), 0);
		ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE_SELECT, 4),
				  selects[i]);
	}
}
END_TEST

START_TEST(driver_features_read_back)
{
	vrig_set(&rig, REG_STATUS, 1, 1);
	vrig_set(&rig, REG_STATUS, 1, 3);
	vrig_set(&rig, REG_DRIVER_FEATURE_SELECT, 4, 1);
	vrig_set(&rig, REG_DRIVER_FEATURE, 4, 0x12345678);
	ck_assert_uint_eq(vrig_get(&rig, REG_DRIVER_FEATURE, 4), 0x12345678);
	vrig_set(&rig, REG_DRIVER_FEATURE_SELECT, 4, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_DRIVER_FEATURE, 4), 0);
}
END_TEST

START_TEST(read_only_registers_stay)
{
	vrig_set(&rig, REG_DEVICE_FEATURE, 4, 0);
	vrig_set(&rig, REG_NUM_QUEUES, 2, 1);
	vrig_set(&rig, REG_GENERATION, 1, 9);
	vrig_set(&rig, REG_QUEUE_NOTIFY_OFF, 2, 9);
	vrig_set(&rig, REG_QUEUE_NOTIFY_DATA, 2, 9);
	ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE, 4),
			  (uint32_t)rig.d->offered);
	ck_assert_uint_eq(vrig_get(&rig, REG_NUM_QUEUES, 2), VRIG_QUEUES);
	ck_assert_uint_eq(vrig_get(&rig, REG_GENERATION, 1), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_NOTIFY_OFF, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_NOTIFY_DATA, 2), 0);
}
END_TEST

START_TEST(generation_is_the_devices)
{
	pthread_mutex_lock(&rig.d->lock);
	virtio_config_changed(rig.d);
	pthread_mutex_unlock(&rig.d->lock);
	ck_assert_uint_eq(vrig_get(&rig, REG_GENERATION, 1), 1);
}
END_TEST

/*
 * Queue select and vectors: numbers that the guest chooses.
 */

START_TEST(queue_select_out_of_range_reads_as_no_queue)
{
	static const uint16_t selects[] = {VRIG_QUEUES, 64, 0x7fff, 0x8000,
					   0xffff};

	reach_features_ok();
	for (unsigned i = 0; i < ARRAY_SIZE(selects); i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, selects[i]);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_SELECT, 2),
				  selects[i]);
		for (unsigned off = REG_QUEUE_SIZE; off < COMMON_LEN; off++)
			vrig_set(&rig, off, 1, 1);
		for (unsigned off = REG_QUEUE_SIZE; off < COMMON_LEN;
		     off += 2) {
			uint64_t want = off == REG_QUEUE_VECTOR ? 0xffff : 0;

			ck_assert_uint_eq(vrig_get(&rig, off, 2), want);
		}
	}
	for (unsigned i = 0; i < VRIG_QUEUES; i++)
		ck_assert(!rig.d->vqs[i].enabled);
}
END_TEST

START_TEST(vector_out_of_range_reads_back_as_none)
{
	static const uint16_t vectors[] = {VRIG_QUEUES + 1, 64,	    0x7fff,
					   0x8000,	    0xfffe, 0xffff};

	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
		vrig_set(&rig, REG_CONFIG_VECTOR, 2, 0);
		vrig_set(&rig, REG_CONFIG_VECTOR, 2, vectors[i]);
		ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 2), 0xffff);
		vrig_set(&rig, REG_QUEUE_VECTOR, 2, 0);
		vrig_set(&rig, REG_QUEUE_VECTOR, 2, vectors[i]);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_VECTOR, 2), 0xffff);
	}
}
END_TEST

START_TEST(vectors_in_range_read_back)
{
	for (unsigned i = 0; i <= VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_CONFIG_VECTOR, 2, i);
		vrig_set(&rig, REG_QUEUE_VECTOR, 2, i);
		ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 2), i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_VECTOR, 2), i);
	}
}
END_TEST

START_TEST(vectors_are_none_before_they_are_set)
{
	ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 2), 0xffff);
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_VECTOR, 2), 0xffff);
	}
}
END_TEST

START_TEST(each_queue_has_its_own_registers)
{
	reach_features_ok();
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, i);
		vrig_set(&rig, REG_QUEUE_SIZE, 2, 4u << i);
		vrig_set(&rig, REG_QUEUE_DESC, 8, 0x1000 * (i + 1));
	}
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_SIZE, 2), 4u << i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC, 8),
				  0x1000 * (i + 1));
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_NOTIFY_OFF, 2), i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_NOTIFY_DATA, 2), i);
	}
}
END_TEST

START_TEST(fresh_queue_offers_its_largest_size)
{
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_SIZE, 2), VRIG_SIZE);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_RESET, 2), 0);
}
END_TEST

/*
 * When queue registers can be written.
 */

static void queue_registers_stay(void)
{
	static const uint8_t regs[] = {REG_QUEUE_SIZE,	     REG_QUEUE_DESC,
				       REG_QUEUE_DESC + 4,   REG_QUEUE_DRIVER,
				       REG_QUEUE_DRIVER + 4, REG_QUEUE_DEVICE,
				       REG_QUEUE_DEVICE + 4};

	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		uint64_t old = vrig_get(&rig, regs[i], 2);

		vrig_set(&rig, regs[i], 2, old ^ 0x0fff);
		ck_assert_uint_eq(vrig_get(&rig, regs[i], 2), old);
	}
}

START_TEST(queue_registers_are_read_only_before_features_ok)
{
	queue_registers_stay();
	vrig_set(&rig, REG_STATUS, 1, 3);
	queue_registers_stay();
	vrig_set(&rig, REG_QUEUE_ENABLE, 2, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
}
END_TEST

START_TEST(queue_registers_are_read_only_after_driver_ok)
{
	vrig_start(&rig);
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, i);
		queue_registers_stay();
		vrig_set(&rig, REG_QUEUE_ENABLE, 2, 0);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 1);
	}
}
END_TEST

START_TEST(queue_that_was_left_out_cannot_be_enabled_after_driver_ok)
{
	reach_features_ok();
	vrig_setup_queue(&rig, 0);
	vrig_set(&rig, REG_STATUS, 1, 15);
	vrig_setup_queue(&rig, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
}
END_TEST

START_TEST(enabled_queue_is_read_only_before_driver_ok)
{
	reach_features_ok();
	vrig_setup_queue(&rig, 0);
	queue_registers_stay();
}
END_TEST

START_TEST(status_bits_cannot_be_cleared_one_by_one)
{
	vrig_start(&rig);
	for (unsigned bit = 0; bit < 4; bit++) {
		vrig_set(&rig, REG_STATUS, 1, 15u & ~(1u << bit));
		ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 15);
	}
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 0);
}
END_TEST

START_TEST(enable_takes_one_and_nothing_else)
{
	static const uint16_t vals[] = {0, 2, 3, 0x100, 0xffff};

	reach_features_ok();
	for (unsigned i = 0; i < ARRAY_SIZE(vals); i++) {
		vrig_set(&rig, REG_QUEUE_ENABLE, 2, vals[i]);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
	}
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 11);
}
END_TEST

START_TEST(enabling_a_bad_ring_needs_reset)
{
	reach_features_ok();
	vrig_set(&rig, REG_QUEUE_SIZE, 2, 3);
	vrig_set(&rig, REG_QUEUE_ENABLE, 2, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1) & 0x40, 0x40);
}
END_TEST

/* [virtio 1.2, 2.6.1] */
START_TEST(single_queue_is_reset_and_comes_back)
{
	vrig_start(&rig);
	vrig_set(&rig, REG_QUEUE_SELECT, 2, 1);
	vrig_set(&rig, REG_QUEUE_RESET, 2, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 1);
	vrig_set(&rig, REG_QUEUE_RESET, 2, 1);
	ck_assert_uint_eq(rig.dev.queue_stops, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_RESET, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_VECTOR, 2), 0xffff);
	vrig_setup_queue(&rig, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_ENABLE, 2), 1);
	ck_assert(rig.d->vqs[1].running);
}
END_TEST

START_TEST(queue_reset_reads_one_while_chains_are_out)
{
	vrig_start(&rig);
	rig.dev.hold = true;
	rig.dev.hold_is_inflight = true;
	vrig_add(&rig, VRIG_INLINE);
	vrig_ring(&rig, VRIG_INLINE);
	vrig_set(&rig, REG_QUEUE_RESET, 2, 1);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_RESET, 2), 1);
	pthread_mutex_lock(&rig.d->lock);
	fake_dev_complete(&rig.dev);
	pthread_mutex_unlock(&rig.d->lock);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_RESET, 2), 0);
}
END_TEST

/*
 * Widths.
 */

START_TEST(addresses_can_be_written_in_any_pieces)
{
	uint64_t want = 0x1122334455667788;

	reach_features_ok();
	for (unsigned size = 1; size <= 8; size *= 2) {
		vrig_set(&rig, REG_QUEUE_DESC, 8, 0);
		for (unsigned i = 0; i < 8; i += size)
			vrig_set(&rig, REG_QUEUE_DESC + i, size, want >> 8 * i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC, 8), want);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC, 4),
				  want & 0xffffffff);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC + 4, 4),
				  want >> 32);
	}
}
END_TEST

START_TEST(halves_of_an_address_do_not_touch_each_other)
{
	reach_features_ok();
	vrig_set(&rig, REG_QUEUE_DESC + 4, 4, 0x11223344);
	vrig_set(&rig, REG_QUEUE_DESC, 4, 0x55667788);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC, 8),
			  0x1122334455667788);
	vrig_set(&rig, REG_QUEUE_DESC + 4, 4, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DESC, 8), 0x55667788);
}
END_TEST

START_TEST(misaligned_write_reaches_the_bytes_it_covers)
{
	reach_features_ok();
	vrig_set(&rig, REG_QUEUE_DRIVER, 8, 0);
	vrig_set(&rig, REG_QUEUE_DEVICE, 8, 0);
	vrig_set(&rig, REG_QUEUE_DRIVER + 5, 8, UINT64_MAX);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DRIVER, 8),
			  0xffffff0000000000);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_DEVICE, 8),
			  0x000000ffffffffff);
}
END_TEST

START_TEST(wide_write_reaches_every_register_in_order)
{
	/* config vector, queues, status, generation, queue select */
	vrig_set(&rig, REG_CONFIG_VECTOR, 8, 0x0001fe01abcd0002);
	ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 8),
			  0x0001000100030002);
}
END_TEST

START_TEST(every_read_equals_its_bytes)
{
	reach_features_ok();
	vrig_setup_queue(&rig, 1);
	for (unsigned off = 0; off < COMMON_LEN; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = 0;

			for (unsigned i = 0; i < size; i++)
				want |= vrig_get(&rig, off + i, 1) << 8 * i;
			if (off + size > COMMON_LEN)
				want = UINT64_MAX >> (64 - 8 * size);
			ck_assert_uint_eq(vrig_get(&rig, off, size), want);
		}
	}
}
END_TEST

static void check_sane(void)
{
	uint64_t vector = vrig_get(&rig, REG_QUEUE_VECTOR, 2);
	uint64_t config = vrig_get(&rig, REG_CONFIG_VECTOR, 2);

	ck_assert(vector <= VRIG_QUEUES || vector == 0xffff);
	ck_assert(config <= VRIG_QUEUES || config == 0xffff);
	ck_assert_uint_eq(vrig_get(&rig, REG_NUM_QUEUES, 2), VRIG_QUEUES);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1) & 0x30, 0);
}

START_TEST(every_offset_and_size_can_be_written_in_every_state)
{
	srand(7);
	vrig_command(&rig, 4, 0);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned off = (unsigned)rand() % (COMMON_LEN + 4);
		unsigned size = 1u << rand() % 4;
		uint64_t val = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^
			       (uint64_t)rand() % 16;

		vrig_set(&rig, off, size, val);
		if (rand() % 8 == 0)
			vrig_set(&rig, REG_STATUS, 1, 15u >> rand() % 5);
		if (rand() % 500 == 0)
			vrig_start(&rig);
		check_sane();
	}
	vrig_start(&rig);
}
END_TEST

static TCase *number_cases(void)
{
	TCase *tc = tcase_create("numbers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, features_are_read_by_halves);
	tcase_add_test(tc, feature_selects_past_one_read_zero);
	tcase_add_test(tc, driver_features_read_back);
	tcase_add_test(tc, read_only_registers_stay);
	tcase_add_test(tc, generation_is_the_devices);
	tcase_add_test(tc, queue_select_out_of_range_reads_as_no_queue);
	tcase_add_test(tc, vector_out_of_range_reads_back_as_none);
	tcase_add_test(tc, vectors_in_range_read_back);
	tcase_add_test(tc, vectors_are_none_before_they_are_set);
	tcase_add_test(tc, each_queue_has_its_own_registers);
	tcase_add_test(tc, fresh_queue_offers_its_largest_size);
	return tc;
}

static TCase *state_cases(void)
{
	TCase *tc = tcase_create("states");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, queue_registers_are_read_only_before_features_ok);
	tcase_add_test(tc, queue_registers_are_read_only_after_driver_ok);
	tcase_add_test(
		tc, queue_that_was_left_out_cannot_be_enabled_after_driver_ok);
	tcase_add_test(tc, enabled_queue_is_read_only_before_driver_ok);
	tcase_add_test(tc, status_bits_cannot_be_cleared_one_by_one);
	tcase_add_test(tc, enable_takes_one_and_nothing_else);
	tcase_add_test(tc, enabling_a_bad_ring_needs_reset);
	tcase_add_test(tc, single_queue_is_reset_and_comes_back);
	tcase_add_test(tc, queue_reset_reads_one_while_chains_are_out);
	return tc;
}

static TCase *width_cases(void)
{
	TCase *tc = tcase_create("widths");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, addresses_can_be_written_in_any_pieces);
	tcase_add_test(tc, halves_of_an_address_do_not_touch_each_other);
	tcase_add_test(tc, misaligned_write_reaches_the_bytes_it_covers);
	tcase_add_test(tc, wide_write_reaches_every_register_in_order);
	tcase_add_test(tc, every_read_equals_its_bytes);
	tcase_add_test(tc, every_offset_and_size_can_be_written_in_every_state);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("virtio/pci_common");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, number_cases());
	suite_add_tcase(s, state_cases());
	suite_add_tcase(s, width_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Device-specific configuration.   [virtio 1.2, 2.5]
 */
#include "virtio/device.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

#define LEN 16 /* what the fixture's device has */

static struct fixture *f;
static struct virtio_dev *d;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 8, false);
	d = f->d;
	for (unsigned i = 0; i < LEN; i++)
		d->config[i] = (uint8_t)(0x10 + i);
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

/* What a read must give, byte by byte. */
static uint64_t expected(uint64_t off, unsigned size)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++) {
		if (off + i >= off && off + i < LEN)
			val |= (0x10 + off + i) << 8 * i;
	}
	return val;
}

START_TEST(every_offset_and_size_reads_its_bytes_and_zeros_past_the_end)
{
	static const unsigned sizes[] = {1, 2, 4, 8};
	const unsigned size = sizes[_i];

	ck_assert_uint_eq(d->config_len, LEN);
	for (uint64_t off = 0; off < 2 * LEN; off++)
		ck_assert_uint_eq(virtio_config_read(d, off, size),
				  expected(off, size));
	for (uint64_t off = UINT64_MAX; off > UINT64_MAX - LEN; off--)
		ck_assert_uint_eq(virtio_config_read(d, off, size), 0);
	ck_assert_uint_eq(virtio_config_read(d, UINT64_C(1) << 32, size), 0);
}
END_TEST

START_TEST(only_masked_bits_are_written)
{
	d->config_wmask[1] = 0x0f;
	d->config_wmask[2] = 0xff;
	virtio_config_write(d, 0, 4, 0xaabbccdd);
	ck_assert_uint_eq(d->config[0], 0x10);
	ck_assert_uint_eq(d->config[1], 0x1c);
	ck_assert_uint_eq(d->config[2], 0xbb);
	ck_assert_uint_eq(d->config[3], 0x13);
	ck_assert_uint_eq(f->dev.config_writes, 1);
	ck_assert_uint_eq(f->dev.config_off, 0);
	ck_assert_uint_eq(f->dev.config_len, 4);
}
END_TEST

START_TEST(read_only_bytes_tell_nobody)
{
	virtio_config_write(d, 0, 8, UINT64_MAX);
	ck_assert_uint_eq(d->config[0], 0x10);
	ck_assert_uint_eq(f->dev.config_writes, 0);
}
END_TEST

START_TEST(write_across_the_end_is_cut)
{
	static const unsigned sizes[] = {1, 2, 4, 8};

	memset(d->config_wmask, 0xff, LEN);
	virtio_config_write(d, LEN - 1, sizes[_i], UINT64_MAX);
	ck_assert_uint_eq(d->config[LEN - 1], 0xff);
	ck_assert_uint_eq(f->dev.config_len, 1);
	virtio_config_write(d, LEN, sizes[_i], UINT64_MAX);
	virtio_config_write(d, UINT64_MAX, sizes[_i], UINT64_MAX);
	ck_assert_uint_eq(f->dev.config_writes, 1);
}
END_TEST

/* The device changes it once more after it was read. */
static void change(void)
{
	(void)virtio_config_read(d, 0, 1);
	virtio_config_changed(d);
}

/* [virtio 1.2, 2.5.1, 4.1.4.3.1] */
START_TEST(change_by_the_device_is_a_new_generation)
{
	uint8_t before = d->generation;

	virtio_config_changed(d);
	ck_assert_uint_eq(d->generation, (uint8_t)(before + 1));
	/* Not before DRIVER_OK.   [virtio 1.2, 2.1.2] */
	ck_assert_uint_eq(f->transport.config_irqs, 0);
	fix_start(f, FIX_ALL, 8);
	virtio_config_changed(d);
	ck_assert_uint_eq(f->transport.config_irqs, 1);
}
END_TEST

START_TEST(generation_wraps_and_survives_reset)
{
	for (unsigned i = 0; i < 256; i++)
		change();
	ck_assert_uint_eq(d->generation, 0);
	change();
	virtio_reset(d);
	ck_assert_uint_eq(d->generation, 1);
}
END_TEST

/* Or a driver that is slow between two reads would see none of them. */
START_TEST(changes_that_wrap_around_are_one)
{
	const uint8_t before = d->generation;

	(void)virtio_config_read(d, 0, 1);
	for (unsigned i = 0; i < 256; i++)
		virtio_config_changed(d);
	ck_assert_uint_ne(d->generation, before);
	/* What is not there is not read. */
	(void)virtio_config_read(d, LEN, 1);
	virtio_config_changed(d);
	ck_assert_uint_eq(d->generation, (uint8_t)(before + 1));
}
END_TEST

START_TEST(what_the_driver_brings_about_is_no_interrupt)
{
	fix_start(f, FIX_ALL, 8);
	(void)virtio_config_read(d, 0, 1);
	virtio_config_renewed(d);
	ck_assert_uint_eq(d->generation, 1);
	ck_assert_uint_eq(f->transport.config_irqs, 0);
}
END_TEST

START_TEST(write_by_the_driver_is_no_new_generation)
{
	d->config_wmask[0] = 0xff;
	virtio_config_write(d, 0, 1, 1);
	ck_assert_uint_eq(d->generation, 0);
}
END_TEST

START_TEST(device_without_configuration_reads_zeros)
{
	const struct virtio_dev_env env = {.name = "fake1", .dma = &f->id};
	struct fake_dev dev;

	ck_assert_int_eq(fake_dev_init(&dev, &env, NULL, 0, 0), 0);
	ck_assert_uint_eq(virtio_config_read(&dev.vdev, 0, 8), 0);
	virtio_config_write(&dev.vdev, 0, 8, UINT64_MAX);
	ck_assert_uint_eq(dev.config_writes, 0);
	fake_dev_fini(&dev);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
		t, every_offset_and_size_reads_its_bytes_and_zeros_past_the_end,
		0, 4);
	tcase_add_test(t, only_masked_bits_are_written);
	tcase_add_test(t, read_only_bytes_tell_nobody);
	tcase_add_loop_test(t, write_across_the_end_is_cut, 0, 4);
	tcase_add_test(t, change_by_the_device_is_a_new_generation);
	tcase_add_test(t, generation_wraps_and_survives_reset);
	tcase_add_test(t, changes_that_wrap_around_are_one);
	tcase_add_test(t, what_the_driver_brings_about_is_no_interrupt);
	tcase_add_test(t, write_by_the_driver_is_no_new_generation);
	tcase_add_test(t, device_without_configuration_reads_zeros);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Status, features, queue registers, life.   [virtio 1.2, 2.1, 2.2, 3.1]
 */
#include "virtio/device.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/bits.h"
#include "core/fd.h"
#include "virtio/tests/queue_fixture.h"

#define ACK	    VIRTIO_STATUS_ACKNOWLEDGE
#define DRIVER	    VIRTIO_STATUS_DRIVER
#define FOUND	    (ACK | DRIVER)
#define FEATURES_OK VIRTIO_STATUS_FEATURES_OK
#define DRIVER_OK   VIRTIO_STATUS_DRIVER_OK
#define NEEDS_RESET VIRTIO_STATUS_NEEDS_RESET
#define FAILED	    VIRTIO_STATUS_FAILED

static struct fixture *f;
static struct virtio_dev *d;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 64, false);
	d = f->d;
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

static void set(uint8_t val)
{
	virtio_set_status(d, val);
}

/* Up to FEATURES_OK, if it sticks. */
static bool negotiate(uint64_t features)
{
	return vqd_negotiate(d, features);
}

static void up(void)
{
	fix_start(f, FIX_ALL, 8);
}

/*
 * Status.
 */

START_TEST(status_follows_the_driver)
{
	ck_assert_uint_eq(d->status, 0);
	set(ACK);
	ck_assert_uint_eq(d->status, ACK);
	set(FOUND);
	ck_assert_uint_eq(d->status, FOUND);
	virtio_set_driver_features(d, 1, 1);
	set(FOUND | FEATURES_OK);
	ck_assert_uint_eq(d->status, FOUND | FEATURES_OK);
	ck_assert_uint_eq(f->dev.starts, 0);
	set(FOUND | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(d->status, FOUND | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(f->dev.starts, 1);
	ck_assert(d->running);
	set(0);
	ck_assert_uint_eq(d->status, 0);
	ck_assert(!d->running);
	ck_assert_uint_eq(f->transport.resets, 1);
}
END_TEST

/* [virtio 1.2, 2.1.1]: bits are only ever added. */
START_TEST(clearing_a_bit_is_refused)
{
	static const uint8_t all = FOUND | FEATURES_OK | DRIVER_OK;

	up();
	for (unsigned bit = 0; bit < 8; bit++) {
		if (!(all & BIT(bit)))
			continue;
		set((uint8_t)(all & ~BIT(bit)));
		ck_assert_uint_eq(d->status, all);
		/* Not a part of it either. */
		set((uint8_t)((all & ~BIT(bit)) | FAILED));
		ck_assert_uint_eq(d->status, all);
	}
	ck_assert(d->running);
	ck_assert_uint_eq(f->dev.starts, 1);
}
END_TEST

START_TEST(same_status_again_starts_nothing_again)
{
	up();
	set(d->status);
	ck_assert_uint_eq(f->dev.starts, 1);
}
END_TEST

START_TEST(driver_ok_without_features_ok_is_refused)
{
	set(FOUND);
	set(FOUND | DRIVER_OK);
	ck_assert_uint_eq(d->status, FOUND);
	ck_assert_uint_eq(f->dev.starts, 0);
	/* Refused features and DRIVER_OK in one write. */
	set(FOUND | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(d->status, FOUND);
	ck_assert(!d->running);
}
END_TEST

START_TEST(features_ok_needs_both_bits_before)
{
	set(ACK);
	set(ACK | FEATURES_OK);
	ck_assert_uint_eq(d->status, ACK);
	set(0);
	set(DRIVER);
	set(DRIVER | FEATURES_OK);
	ck_assert_uint_eq(d->status, DRIVER);
}
END_TEST

START_TEST(failed_stops_the_device_until_reset)
{
	up();
	set(d->status | FAILED);
	ck_assert(d->status & FAILED);
	ck_assert(!d->running);
	fix_add(f);
	virtio_notify(d, 0);
	ck_assert_uint_eq(f->dev.kicks, 0);
	up();
	ck_assert(d->running);
}
END_TEST

START_TEST(failed_device_does_not_start)
{
	ck_assert(negotiate(FIX_PLAIN));
	set(d->status | FAILED);
	set(d->status | DRIVER_OK);
	ck_assert(!(d->status & DRIVER_OK));
	ck_assert_uint_eq(f->dev.starts, 0);
}
END_TEST

START_TEST(reserved_bits_do_not_stick_and_do_not_reset)
{
	static const uint8_t vals[] = {0x10, 0x20, 0x30, NEEDS_RESET};

	set(vals[_i]);
	ck_assert_uint_eq(d->status, 0);
	set(FOUND | vals[_i]);
	ck_assert_uint_eq(d->status, FOUND);
	set(vals[_i]);
	ck_assert_uint_eq(d->status, FOUND);
	ck_assert_uint_eq(f->transport.resets, 0);
}
END_TEST

/* [virtio 1.2, 2.1.2] */
START_TEST(needs_reset_stays_until_reset)
{
	uint8_t running;

	up();
	running = d->status;
	virtio_broken(d, "test %d", 1);
	ck_assert_uint_eq(d->status, running | NEEDS_RESET);
	ck_assert_uint_eq(f->transport.config_irqs, 1);
	/* Drivers write what they read, or what they wrote. */
	set(running | NEEDS_RESET);
	set(running);
	ck_assert_uint_eq(d->status, running | NEEDS_RESET);
	virtio_broken(d, "again");
	ck_assert_uint_eq(f->transport.config_irqs, 1);
	set(0);
	ck_assert_uint_eq(d->status, 0);
}
END_TEST

START_TEST(device_broken_before_driver_ok_says_so_then)
{
	ck_assert(negotiate(FIX_PLAIN));
	virtio_broken(d, "test");
	ck_assert_uint_eq(f->transport.config_irqs, 0);
	set(d->status | DRIVER_OK);
	ck_assert_uint_eq(f->transport.config_irqs, 1);
	ck_assert_uint_eq(f->dev.starts, 0);
	ck_assert(!d->running);
}
END_TEST

START_TEST(failed_start_breaks_the_device)
{
	f->dev.start_result = -EIO;
	ck_assert(negotiate(FIX_PLAIN));
	ck_assert(!vqd_driver_ok(d));
	ck_assert(fix_is_broken(f));
	ck_assert_uint_eq(f->transport.config_irqs, 1);
}
END_TEST

/* Any write after any other: no bit goes but by a reset, and no start comes
 * without negotiation. */
START_TEST(no_order_of_two_writes_gets_around_the_rules)
{
	uint8_t first = (uint8_t)_i;

	for (unsigned second = 0; second < 256; second++) {
		uint8_t before;

		set(0);
		set(first);
		before = d->status;
		set((uint8_t)second);
		if (second)
			ck_assert_uint_eq(d->status & before, before);
		else
			ck_assert_uint_eq(d->status, 0);
		if (d->status & DRIVER_OK)
			ck_assert(d->status & FEATURES_OK);
		if (d->status & FEATURES_OK)
			ck_assert_uint_eq(d->status & FOUND, FOUND);
		ck_assert_uint_eq(d->status & 0x70, 0);
	}
	ck_assert_uint_eq(f->dev.starts, 0);
}
END_TEST

/*
 * Features.
 */

START_TEST(common_features_are_offered_besides_the_devices)
{
	ck_assert_uint_eq(d->offered, FAKE_DEV_FEATURES | FIX_ALL);
	ck_assert_uint_eq(virtio_device_features(d, 0),
			  FAKE_DEV_FEATURES | BIT(28) | BIT(29));
	ck_assert_uint_eq(virtio_device_features(d, 1), BIT(0) | BIT(8));
	ck_assert_uint_eq(virtio_device_features(d, 2), 0);
	ck_assert_uint_eq(virtio_device_features(d, UINT32_MAX), 0);
}
END_TEST

static void fresh_device(bool platform, bool plain)
{
	const struct virtio_dev_env env = {
		.name = "fake1", .dma = &f->id, .access_platform = platform};
	const uint16_t size = 8;

	fake_dev_fini(&f->dev);
	ck_assert_int_eq((plain ? fake_dev_init_plain
				: fake_dev_init)(&f->dev, &env, &size, 1, 4),
			 0);
}

START_TEST(d67_access_platform_is_insisted_on)
{
	fresh_device(true, false);
	ck_assert(virtio_device_features(d, 1) & BIT(1));
	ck_assert(!negotiate(FIX_PLAIN));
	ck_assert(negotiate(FIX_PLAIN | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)));
}
END_TEST

START_TEST(d67_access_platform_is_not_offered_unasked)
{
	ck_assert(!(virtio_device_features(d, 1) & BIT(1)));
	ck_assert(!negotiate(FIX_PLAIN | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)));
}
END_TEST

START_TEST(device_without_optional_functions_works)
{
	fresh_device(false, true);
	f->q = virtio_queue(d, 0);
	fake_transport_init(&f->transport, d);
	ck_assert(!(d->offered & BIT_ULL(VIRTIO_F_RING_RESET)));
	ck_assert(!negotiate(FIX_PLAIN | BIT_ULL(VIRTIO_F_RING_RESET)));
	fix_start(f, FIX_PLAIN, 8);
	d->config_wmask[0] = 0xff;
	virtio_config_write(d, 0, 1, 1);
	virtio_queue_reset(d, f->q);
	ck_assert(f->q->enabled);
	fix_add(f);
	fix_kick(f);
	fix_take(f);
}
END_TEST

/* [virtio 1.2, 6.2] */
START_TEST(version_1_is_required)
{
	ck_assert(!negotiate(0));
	ck_assert(!negotiate(FAKE_DEV_FEATURES));
	ck_assert(negotiate(FIX_PLAIN));
}
END_TEST

/* [virtio 1.2, 2.2.2] */
START_TEST(feature_not_offered_is_refused)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		bool offered = d->offered >> bit & 1;

		ck_assert(negotiate(FIX_PLAIN | BIT_ULL(bit)) == offered);
	}
}
END_TEST

START_TEST(device_may_refuse_and_driver_may_try_again)
{
	f->dev.refuse_features = true;
	ck_assert(!negotiate(FIX_ALL));
	f->dev.refuse_features = false;
	virtio_set_driver_features(d, 0, 0);
	set(d->status | FEATURES_OK);
	ck_assert(d->status & FEATURES_OK);
	ck_assert(!virtio_has(d, VIRTIO_F_EVENT_IDX));
	ck_assert(virtio_has(d, VIRTIO_F_VERSION_1));
}
END_TEST

START_TEST(features_are_written_between_driver_and_features_ok)
{
	virtio_set_driver_features(d, 0, 1);
	ck_assert_uint_eq(virtio_driver_features(d, 0), 0);
	set(ACK);
	virtio_set_driver_features(d, 0, 1);
	ck_assert_uint_eq(virtio_driver_features(d, 0), 0);
	set(FOUND);
	virtio_set_driver_features(d, 0, 1);
	virtio_set_driver_features(d, 1, 1);
	virtio_set_driver_features(d, 2, UINT32_MAX);
	ck_assert_uint_eq(virtio_driver_features(d, 0), 1);
	ck_assert_uint_eq(virtio_driver_features(d, 1), 1);
	ck_assert_uint_eq(virtio_driver_features(d, 2), 0);
	/* One half leaves the other alone. */
	virtio_set_driver_features(d, 0, 4);
	ck_assert_uint_eq(d->driver_features, FIX_PLAIN | 4);
	set(FOUND | FEATURES_OK);
	virtio_set_driver_features(d, 0, 0);
	virtio_set_driver_features(d, 1, 0);
	ck_assert_uint_eq(d->driver_features, FIX_PLAIN | 4);
	set(0);
	ck_assert_uint_eq(d->driver_features, 0);
}
END_TEST

/*
 * Queue registers.
 */

START_TEST(queues_are_found_by_index_and_no_others)
{
	ck_assert_ptr_eq(virtio_queue(d, 0), &d->vqs[0]);
	ck_assert_ptr_null(virtio_queue(d, 1));
	ck_assert_ptr_null(virtio_queue(d, 0xffff));
	ck_assert_ptr_null(virtio_queue(d, UINT32_MAX));
	virtio_notify(d, 0);
	virtio_notify(d, 1);
	virtio_notify(d, UINT32_MAX);
	ck_assert_uint_eq(f->dev.kicks, 0);
}
END_TEST

START_TEST(queue_registers_are_writable_from_features_ok_to_driver_ok)
{
	ck_assert(!virtio_queue_writable(d, f->q));
	set(FOUND);
	ck_assert(!virtio_queue_writable(d, f->q));
	ck_assert(negotiate(FIX_PLAIN));
	ck_assert(virtio_queue_writable(d, f->q));
	ck_assert(vqd_driver_ok(d));
	ck_assert(!virtio_queue_writable(d, f->q));
	/* So it cannot be enabled any more. */
	f->q->desc = f->q->avail = f->q->used = 0x1000;
	virtio_queue_enable(d, f->q);
	ck_assert(!f->q->enabled);
	set(0);
	ck_assert(!virtio_queue_writable(d, f->q));
	ck_assert_uint_eq(f->q->desc, 0);
	ck_assert_uint_eq(f->q->size, 64);
}
END_TEST

START_TEST(enabled_queue_is_not_writable)
{
	ck_assert(negotiate(FIX_PLAIN));
	virtio_queue_enable(d, f->q);
	ck_assert(f->q->enabled);
	ck_assert(!virtio_queue_writable(d, f->q));
	ck_assert(!f->q->running);
}
END_TEST

START_TEST(bad_ring_breaks_the_device_when_enabled)
{
	ck_assert(negotiate(FIX_PLAIN));
	f->q->size = 3;
	virtio_queue_enable(d, f->q);
	ck_assert(!f->q->enabled);
	ck_assert(fix_is_broken(f));
	set(d->status | DRIVER_OK);
	ck_assert_uint_eq(f->dev.starts, 0);
	ck_assert_uint_eq(f->transport.config_irqs, 1);
}
END_TEST

START_TEST(queue_never_enabled_does_not_run)
{
	struct vq_chain *c;

	ck_assert(negotiate(FIX_ALL));
	ck_assert(vqd_driver_ok(d));
	ck_assert(!f->q->running);
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	virtio_notify(d, 0);
	vq_signal(f->q);
	vq_kicks_off(f->q);
	ck_assert(!vq_kicks_on(f->q));
	vq_kick_later(f->q);
	ck_assert_uint_eq(f->dev.kicks, 0);
}
END_TEST

/*
 * Life.
 */

static unsigned lines;

static void count_lines(enum log_level level, const char *line)
{
	ck_assert_int_eq(level, LOG_WARN);
	ck_assert_ptr_nonnull(strstr(line, "fake0: "));
	lines++;
}

START_TEST(trouble_is_one_line_until_reset)
{
	lines = 0;
	log_set_sink(count_lines);
	for (unsigned i = 0; i < 5; i++)
		virtio_broken(d, "trouble %u", i);
	ck_assert_uint_eq(lines, 1);
	set(0);
	virtio_broken(d, "trouble");
	ck_assert_uint_eq(lines, 2);
}
END_TEST

START_TEST(long_reasons_and_names_are_cut)
{
	const struct virtio_dev_env env = {.name = "a-name-that-is-too-long",
					   .dma = &f->id};
	struct fake_dev dev;

	ck_assert_int_eq(fake_dev_init(&dev, &env, NULL, 0, 0), 0);
	ck_assert_str_eq(dev.vdev.name, "a-name-that-is-");
	virtio_broken(&dev.vdev, "%1000d", 1);
	virtio_dev_free(&dev.vdev);
	ck_assert_uint_eq(dev.frees, 1);
}
END_TEST

START_TEST(freeing_nothing_is_nothing)
{
	struct virtio_dev zeroed = {0};

	virtio_dev_free(NULL);
	virtio_dev_fini(&zeroed);
	virtio_dev_fini(&zeroed);
}
END_TEST

START_TEST(no_descriptors_left_is_an_error)
{
	const struct virtio_dev_env env = {.name = "fake1", .dma = &f->id};
	const uint16_t sizes[3] = {8, 8, 8};
	struct rlimit old, tight;
	struct fake_dev dev;
	int fd = eventfd_new();

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	/* Room for 0, 1, 2 queues' eventfds. */
	tight.rlim_cur = (rlim_t)(fd + _i);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	ck_assert_int_eq(fake_dev_init(&dev, &env, sizes, 3, 0), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/device");
	TCase *t = tcase_create("status");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, status_follows_the_driver);
	tcase_add_test(t, clearing_a_bit_is_refused);
	tcase_add_test(t, same_status_again_starts_nothing_again);
	tcase_add_test(t, driver_ok_without_features_ok_is_refused);
	tcase_add_test(t, features_ok_needs_both_bits_before);
	tcase_add_test(t, failed_stops_the_device_until_reset);
	tcase_add_test(t, failed_device_does_not_start);
	tcase_add_loop_test(t, reserved_bits_do_not_stick_and_do_not_reset, 0,
			    4);
	tcase_add_test(t, needs_reset_stays_until_reset);
	tcase_add_test(t, device_broken_before_driver_ok_says_so_then);
	tcase_add_test(t, failed_start_breaks_the_device);
	tcase_add_loop_test(t, no_order_of_two_writes_gets_around_the_rules, 0,
			    256);
	suite_add_tcase(s, t);

	t = tcase_create("features");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, common_features_are_offered_besides_the_devices);
	tcase_add_test(t, d67_access_platform_is_insisted_on);
	tcase_add_test(t, d67_access_platform_is_not_offered_unasked);
	tcase_add_test(t, device_without_optional_functions_works);
	tcase_add_test(t, version_1_is_required);
	tcase_add_test(t, feature_not_offered_is_refused);
	tcase_add_test(t, device_may_refuse_and_driver_may_try_again);
	tcase_add_test(t, features_are_written_between_driver_and_features_ok);
	suite_add_tcase(s, t);

	t = tcase_create("queue registers");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, queues_are_found_by_index_and_no_others);
	tcase_add_test(
		t, queue_registers_are_writable_from_features_ok_to_driver_ok);
	tcase_add_test(t, enabled_queue_is_not_writable);
	tcase_add_test(t, bad_ring_breaks_the_device_when_enabled);
	tcase_add_test(t, queue_never_enabled_does_not_run);
	suite_add_tcase(s, t);

	t = tcase_create("life");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, trouble_is_one_line_until_reset);
	tcase_add_test(t, long_reasons_and_names_are_cut);
	tcase_add_test(t, freeing_nothing_is_nothing);
	tcase_add_loop_test(t, no_descriptors_left_is_an_error, 0, 3);
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

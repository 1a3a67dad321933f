/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/balloon.h"
#include "devices/balloon_wire.h"
#include "devices/tests/dev_fixture.h"

/* Pages that no driver's ring is in. */
#define SPARE	    KIB(64)
#define SPARE_PAGES 16u
#define PAGE	    4096u

static struct dev_fixture f;

static void up(int ways)
{
	struct virtio_dev *d;

	fix_init(&f, ways ? FIX_LOOPED : 0);
	ck_assert_int_eq(balloon_new(&d, &f.env, &f.mem, NULL), 0);
	fix_adopt(&f, d);
	fix_start(&f, FIX_USUAL | BIT_ULL(BALLOON_F_STATS_VQ) |
			      BIT_ULL(BALLOON_F_DEFLATE_ON_OOM) |
			      BIT_ULL(BALLOON_F_REPORTING));
	for (unsigned i = 0; i < SPARE_PAGES; i++)
		ck_assert_int_eq(
			gmem_write(&f.mem, SPARE + i * PAGE, "full", 4), 0);
}

/* A bit for each spare page that has been given back. */
static unsigned empty_pages(void)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < SPARE_PAGES; i++) {
		uint8_t b[4];

		ck_assert_int_eq(gmem_read(&f.mem, SPARE + i * PAGE, b, 4), 0);
		bits |= (unsigned)(b[0] == 0) << i;
	}
	return bits;
}

static void send_pages(unsigned qi, const uint32_t *pages, uint32_t n)
{
	struct vqd_buf b = {.len = n * 4};
	le32_t w[16];

	for (uint32_t i = 0; i < n; i++)
		w[i] = le32_put(pages[i]);
	b.at = vqd_put(&f.drv[qi], w, n * sizeof(w[0]));
	ck_assert_uint_eq(fix_run(&f, qi, &b, 1), 0);
}

static uint64_t stat_of(const char *name)
{
	struct virtio_stat stats[VIRTIO_STATS_MAX];
	const unsigned n = virtio_get_own_stats(f.d, stats);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(stats[i].name, name) == 0)
			return stats[i].value;
	}
	ck_abort_msg("no '%s'", name);
	return 0;
}

#define FIRST (SPARE / PAGE)

START_TEST(pages_in_the_balloon_go_back_to_the_host)
{
	static const uint32_t up_and_down[] = {FIRST,	  FIRST + 1, FIRST + 5,
					       FIRST + 4, FIRST + 3, FIRST + 9};

	up(_i);
	send_pages(BALLOON_QUEUE_INFLATE, up_and_down, 6);
	ck_assert_uint_eq(empty_pages(), 0x23b);
	ck_assert_uint_eq(stat_of("inflated_bytes"), 6 * PAGE);
	/* They come back when they are touched; nothing else is needed. */
	send_pages(BALLOON_QUEUE_DEFLATE, up_and_down, 6);
	ck_assert_int_eq(gmem_write(&f.mem, SPARE, "back", 4), 0);
	ck_assert_uint_eq(empty_pages(), 0x23a);
	fix_fini(&f);
}
END_TEST

START_TEST(the_same_page_twice_is_no_harm)
{
	static const uint32_t pages[] = {FIRST, FIRST, FIRST + 1, FIRST};

	up(_i);
	send_pages(BALLOON_QUEUE_INFLATE, pages, 4);
	ck_assert_uint_eq(empty_pages(), 3);
	fix_fini(&f);
}
END_TEST

START_TEST(pages_that_are_no_memory_are_left_out)
{
	static const uint32_t pages[] = {0x7fffffff, UINT32_MAX, FIRST + 2,
					 UINT32_MAX, UINT32_MAX - 1};

	up(_i);
	send_pages(BALLOON_QUEUE_INFLATE, pages, 5);
	ck_assert_uint_eq(empty_pages(), 4);
	ck_assert_uint_eq(stat_of("inflated_bytes"), PAGE);
	ck_assert(!fix_is_broken(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(deflating_what_was_not_inflated_is_no_harm)
{
	static const uint32_t pages[] = {0, UINT32_MAX, FIRST};

	up(_i);
	send_pages(BALLOON_QUEUE_DEFLATE, pages, 3);
	ck_assert_uint_eq(empty_pages(), 0);
	ck_assert(!fix_is_broken(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(odd_lengths_are_whole_numbers_alone)
{
	struct vqd_buf b = {.len = 7};
	le32_t w[2] = {le32_put(FIRST + 1), le32_put(FIRST + 2)};

	up(_i);
	b.at = vqd_put(&f.drv[0], w, sizeof(w));
	ck_assert_uint_eq(fix_run(&f, BALLOON_QUEUE_INFLATE, &b, 1), 0);
	ck_assert_uint_eq(empty_pages(), 2);
	b.len = 3;
	ck_assert_uint_eq(fix_run(&f, BALLOON_QUEUE_INFLATE, &b, 1), 0);
	fix_fini(&f);
}
END_TEST

/* The work of one request has a bound, whatever its length. */
START_TEST(endless_requests_are_cut)
{
	struct vqd_buf b[8];

	up(_i);
	for (unsigned i = 0; i < 8; i++)
		b[i] = (struct vqd_buf){0, 0x100000, false};
	ck_assert_uint_eq(fix_run(&f, BALLOON_QUEUE_INFLATE, b, 8), 0);
	ck_assert_uint_le(stat_of("inflated_bytes"), 4096 * PAGE);
	fix_fini(&f);
}
END_TEST

START_TEST(reported_pages_go_back_whole_ones_only)
{
	/* By the text's number of the queue, and by Linux'. */
	for (unsigned qi = 3; qi < 5; qi++) {
		struct vqd_buf b[3] = {
			{SPARE, PAGE, true},
			{SPARE + 3 * PAGE + 1, 2 * PAGE, true},
			{SPARE + 8 * PAGE, PAGE - 1, true},
		};

		up(_i);
		ck_assert_uint_eq(fix_run(&f, qi, b, 3), 0);
		ck_assert_uint_eq(empty_pages(), 0x11);
		ck_assert_uint_eq(stat_of("reported_bytes"), 2 * PAGE);
		fix_fini(&f);
	}
}
END_TEST

START_TEST(reports_of_no_memory_are_no_harm)
{
	struct vqd_buf b[3] = {
		{FIX_NOWHERE, 0x10000000, true},
		{UINT64_MAX - 0xfff, 0x1000, true},
		{UINT64_MAX - 0xffe, 0xffe, true},
	};

	up(_i);
	ck_assert_uint_eq(fix_run(&f, 4, b, 3), 0);
	ck_assert_uint_eq(stat_of("reported_bytes"), 0);
	fix_fini(&f);
}
END_TEST

START_TEST(readable_buffers_are_no_report)
{
	struct vqd_buf b = {SPARE, PAGE, false};

	up(_i);
	ck_assert_uint_eq(fix_run(&f, 4, &b, 1), 0);
	ck_assert_uint_eq(empty_pages(), 0);
	fix_fini(&f);
}
END_TEST

START_TEST(target_is_a_number_of_pages_and_an_interrupt)
{
	up(_i);
	ck_assert_int_eq(balloon_set(f.d, 3 * PAGE + 100), 0);
	fix_lock(&f);
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 4), 3);
	ck_assert_uint_eq(f.transport.config_irqs, 1);
	virtio_config_write(f.d, 0, 4, 77); /* not the driver's */
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 4), 3);
	virtio_config_write(f.d, 4, 4, 2);
	fix_unlock(&f);
	ck_assert_uint_eq(stat_of("target_bytes"), 3 * PAGE);
	ck_assert_uint_eq(stat_of("actual_bytes"), 2 * PAGE);
	ck_assert_int_eq(balloon_set(f.d, gmem_size(&f.mem) + 1), -ERANGE);
	ck_assert_int_eq(balloon_set(f.d, UINT64_MAX), -ERANGE);
	fix_fini(&f);
}
END_TEST

#define UNKNOWN 12

static void leave_stats(uint64_t free, uint16_t last_tag)
{
	/* Behind others, as later drivers have. */
	struct balloon_stat_wire w[UNKNOWN + 3] = {
		[UNKNOWN] = {.tag = le16_put(BALLOON_S_MEMFREE)},
		{.tag = le16_put(BALLOON_S_MEMTOT)},
		{.tag = le16_put(last_tag)},
	};
	struct vqd_buf b = {.len = sizeof(w)};

	for (unsigned i = 0; i < UNKNOWN; i++)
		w[i].tag = le16_put((uint16_t)(BALLOON_S_NR + i));
	le64_store(w[UNKNOWN].val, free);
	le64_store(w[UNKNOWN + 1].val, 1000);
	le64_store(w[UNKNOWN + 2].val, 5);
	b.at = vqd_put(&f.drv[BALLOON_QUEUE_STATS], w, sizeof(w));
	(void)vqd_add(&f.drv[BALLOON_QUEUE_STATS], &b, 1);
	fix_force_kick(&f, BALLOON_QUEUE_STATS);
}

static bool stats_came(void *arg)
{
	(void)arg;
	return f.d->vqs[BALLOON_QUEUE_STATS].inflight == 1;
}

START_TEST(statistics_are_those_the_driver_left_last)
{
	uint32_t head, len;

	up(_i);
	leave_stats(300, BALLOON_S_AVAIL);
	fix_until(&f, stats_came, NULL);
	ck_assert_uint_eq(stat_of("guest_free_bytes"), 300);
	/* Asked for: the buffer comes back for others. */
	fix_wait(&f, BALLOON_QUEUE_STATS, &head, &len);
	leave_stats(200, 0xffff);
	fix_until(&f, stats_came, NULL);
	ck_assert_uint_eq(stat_of("guest_free_bytes"), 200);
	ck_assert_uint_eq(stat_of("guest_total_bytes"), 1000);
	ck_assert_uint_eq(stat_of("guest_available_bytes"), 5);
	fix_fini(&f);
}
END_TEST

START_TEST(reset_forgets_the_guests_numbers_and_keeps_the_target)
{
	up(_i);
	leave_stats(300, BALLOON_S_AVAIL);
	fix_until(&f, stats_came, NULL);
	ck_assert_int_eq(balloon_set(f.d, 5 * PAGE), 0);
	fix_start(&f, FIX_USUAL);
	ck_assert_uint_eq(stat_of("guest_free_bytes"), 0);
	ck_assert_uint_eq(stat_of("target_bytes"), 5 * PAGE);
	ck_assert_uint_eq(stat_of("actual_bytes"), 0);
	fix_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/balloon");
	TCase *tc = tcase_create("balloon");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	/* With and without a loop. */
#define ADD(t) tcase_add_loop_test(tc, t, 0, 2)
	ADD(pages_in_the_balloon_go_back_to_the_host);
	ADD(the_same_page_twice_is_no_harm);
	ADD(pages_that_are_no_memory_are_left_out);
	ADD(deflating_what_was_not_inflated_is_no_harm);
	ADD(odd_lengths_are_whole_numbers_alone);
	ADD(endless_requests_are_cut);
	ADD(reported_pages_go_back_whole_ones_only);
	ADD(reports_of_no_memory_are_no_harm);
	ADD(readable_buffers_are_no_report);
	ADD(target_is_a_number_of_pages_and_an_interrupt);
	ADD(statistics_are_those_the_driver_left_last);
	ADD(reset_forgets_the_guests_numbers_and_keeps_the_target);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

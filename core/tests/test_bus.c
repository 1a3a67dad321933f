/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/bus.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/bits.h"

/* A region that remembers its last access and reads as a fixed value. */
struct dev {
	struct bus_region r;
	uint64_t off, val;
	unsigned size, reads, writes;
	uint64_t answer;
	/* What the handler does, if anything. */
	void (*act)(struct dev *d);
};

static struct bus b;

static struct dev *to_dev(struct bus_region *r)
{
	return container_of(r, struct dev, r);
}

static uint64_t dev_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct dev *d = to_dev(r);

	d->reads++;
	d->off = off;
	d->size = size;
	if (d->act)
		d->act(d);
	return d->answer;
}

static void dev_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	struct dev *d = to_dev(r);

	d->writes++;
	d->off = off;
	d->size = size;
	d->val = val;
	if (d->act)
		d->act(d);
}

static const struct bus_ops dev_ops = {dev_read, dev_write};

static struct dev dev_at(uint64_t base, uint64_t size)
{
	return (struct dev){
		.r = {.ops = &dev_ops, .name = "t", .base = base, .size = size},
		.answer = 0x8877665544332211,
	};
}

static void setup(void)
{
	bus_init(&b);
}

static void teardown(void)
{
	bus_fini(&b);
}

START_TEST(an_empty_bus_reads_all_ones)
{
	ck_assert_uint_eq(bus_read(&b, 0, 1), 0xff);
	ck_assert_uint_eq(bus_read(&b, 0, 2), 0xffff);
	ck_assert_uint_eq(bus_read(&b, UINT32_MAX, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(&b, UINT64_MAX, 8), UINT64_MAX);
	ck_assert(!bus_write(&b, 0, 4, 0));
}
END_TEST

START_TEST(a_region_sees_offset_size_and_value)
{
	struct dev d = dev_at(0x1000, 0x100);

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert_uint_eq(bus_read(&b, 0x1008, 4), 0x44332211);
	ck_assert_uint_eq(d.off, 8);
	ck_assert_uint_eq(d.size, 4);
	ck_assert(bus_write(&b, 0x10f8, 8, 0x0102030405060708));
	ck_assert_uint_eq(d.off, 0xf8);
	ck_assert_uint_eq(d.size, 8);
	ck_assert_uint_eq(d.val, 0x0102030405060708);
}
END_TEST

START_TEST(values_are_cut_to_the_size_both_ways)
{
	struct dev d = dev_at(0, 8);

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert_uint_eq(bus_read(&b, 0, 1), 0x11);
	ck_assert_uint_eq(bus_read(&b, 0, 2), 0x2211);
	ck_assert_uint_eq(bus_read(&b, 0, 8), 0x8877665544332211);
	ck_assert(bus_write(&b, 0, 1, UINT64_MAX));
	ck_assert_uint_eq(d.val, 0xff);
	ck_assert(bus_write(&b, 0, 4, UINT64_MAX));
	ck_assert_uint_eq(d.val, UINT32_MAX);
	ck_assert(bus_write(&b, 0, 8, UINT64_MAX));
	ck_assert_uint_eq(d.val, UINT64_MAX);
}
END_TEST

START_TEST(only_sizes_1_2_4_8_reach_a_region)
{
	static const unsigned odd[] = {0, 3, 5, 6, 7, 9, 16, UINT32_MAX};
	struct dev d = dev_at(0, 0x1000);

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		(void)bus_read(&b, 0, odd[i]);
		ck_assert(!bus_write(&b, 0, odd[i], 0));
	}
	ck_assert_uint_eq(bus_read(&b, 0, 0), 0);
	ck_assert_uint_eq(bus_read(&b, 0, 3), 0xffffff);
	ck_assert_uint_eq(bus_read(&b, 0, 7), UINT64_MAX >> 8);
	ck_assert_uint_eq(bus_read(&b, 0, 9), UINT64_MAX);
	ck_assert_uint_eq(d.reads + d.writes, 0);
}
END_TEST

START_TEST(an_access_past_the_end_reaches_nobody)
{
	struct dev lo = dev_at(0x1000, 0x10), hi = dev_at(0x1010, 0x10);

	ck_assert_int_eq(bus_attach(&b, &lo.r), 0);
	ck_assert_int_eq(bus_attach(&b, &hi.r), 0);
	ck_assert_uint_eq(bus_read(&b, 0x100c, 8), UINT64_MAX);
	ck_assert(!bus_write(&b, 0x100f, 2, 0));
	ck_assert(!bus_write(&b, 0x0fff, 2, 0));
	ck_assert(!bus_write(&b, 0x101d, 4, 0));
	ck_assert_uint_eq(lo.reads + lo.writes + hi.reads + hi.writes, 0);
	ck_assert(bus_write(&b, 0x100c, 4, 0));
	ck_assert(bus_write(&b, 0x1010, 4, 0));
	ck_assert_uint_eq(lo.off, 0xc);
	ck_assert_uint_eq(hi.off, 0);
}
END_TEST

START_TEST(the_topmost_byte_has_its_region)
{
	struct dev d = dev_at(UINT64_MAX - 0xf, 0x10);

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert_uint_eq(bus_read(&b, UINT64_MAX, 1), 0x11);
	ck_assert_uint_eq(d.off, 0xf);
	ck_assert_uint_eq(bus_read(&b, UINT64_MAX, 2), 0xffff);
	ck_assert_uint_eq(bus_read(&b, UINT64_MAX - 7, 8), 0x8877665544332211);
	ck_assert_uint_eq(d.reads, 2);
}
END_TEST

START_TEST(the_whole_space_can_be_one_region)
{
	struct dev d = dev_at(0, UINT64_MAX), e = dev_at(UINT64_MAX, 1);

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert_int_eq(bus_attach(&b, &e.r), 0);
	ck_assert(bus_write(&b, UINT64_MAX, 1, 0));
	ck_assert_uint_eq(e.writes, 1);
	ck_assert(!bus_write(&b, UINT64_MAX - 1, 2, 0));
}
END_TEST

START_TEST(bad_regions_are_refused)
{
	struct dev d = dev_at(0x1000, 0), e = dev_at(UINT64_MAX, 2);
	struct dev f = dev_at(2, UINT64_MAX);

	ck_assert_int_eq(bus_attach(&b, &d.r), -EINVAL);
	ck_assert_int_eq(bus_attach(&b, &e.r), -EINVAL);
	ck_assert_int_eq(bus_attach(&b, &f.r), -EINVAL);
	d.r.base = 0;
	ck_assert_int_eq(bus_attach(&b, &d.r), -EINVAL);
	d.r.size = 1;
	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert_int_eq(bus_attach(&b, &d.r), -EINVAL);
}
END_TEST

START_TEST(overlaps_are_refused_and_neighbours_are_not)
{
	struct dev d = dev_at(0x1000, 0x100);
	static const struct {
		uint64_t base, size;
		int ret;
	} others[] = {
		{0x1000, 0x100, -EEXIST}, {0x0, 0x1001, -EEXIST},
		{0x10ff, 1, -EEXIST},	  {0x1080, 1, -EEXIST},
		{0, UINT64_MAX, -EEXIST}, {0xf00, 0x100, 0},
		{0x1100, 1, 0},
	};

	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		struct dev o = dev_at(others[i].base, others[i].size);

		ck_assert_int_eq(bus_attach(&b, &o.r), others[i].ret);
		ck_assert(o.r.attached == (others[i].ret == 0));
		bus_detach(&b, &o.r);
	}
}
END_TEST

START_TEST(a_full_bus_takes_no_more)
{
	static struct dev d[BUS_REGIONS_MAX + 1];

	for (unsigned i = 0; i <= BUS_REGIONS_MAX; i++) {
		/* In an order that is neither up nor down. */
		d[i] = dev_at(i * 37 % (BUS_REGIONS_MAX + 1) * 16, 16);
		ck_assert_int_eq(bus_attach(&b, &d[i].r),
				 i < BUS_REGIONS_MAX ? 0 : -ENOSPC);
	}
	for (unsigned i = 0; i < BUS_REGIONS_MAX; i++) {
		ck_assert(bus_write(&b, d[i].r.base + 5, 1, 0));
		ck_assert_uint_eq(d[i].writes, 1);
		ck_assert_uint_eq(d[i].off, 5);
	}
	for (unsigned i = 0; i < BUS_REGIONS_MAX; i++) {
		bus_detach(&b, &d[i].r);
		ck_assert(!bus_write(&b, d[i].r.base, 1, 0));
	}
	ck_assert_int_eq(bus_attach(&b, &d[BUS_REGIONS_MAX].r), 0);
}
END_TEST

START_TEST(a_detached_region_is_silent_and_may_come_back_elsewhere)
{
	struct dev d = dev_at(0x1000, 0x100);

	bus_detach(&b, &d.r);
	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	bus_detach(&b, &d.r);
	bus_detach(&b, &d.r);
	ck_assert(!bus_write(&b, 0x1000, 4, 0));
	d.r.base = 0x2000;
	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert(bus_write(&b, 0x2004, 4, 0));
	ck_assert_uint_eq(d.off, 4);
}
END_TEST

START_TEST(a_region_of_another_bus_is_not_detached)
{
	struct dev d = dev_at(0x1000, 0x100), e = dev_at(0x1000, 0x100);
	static struct bus other;

	bus_init(&other);
	ck_assert_int_eq(bus_attach(&other, &d.r), 0);
	ck_assert_int_eq(bus_attach(&b, &e.r), 0);
	ck_assert_int_eq(bus_attach(&b, &d.r), -EINVAL);
	bus_detach(&b, &d.r);
	ck_assert(bus_write(&b, 0x1000, 1, 0));
	ck_assert(bus_write(&other, 0x1000, 1, 0));
	bus_fini(&other);
}
END_TEST

static void move_up(struct dev *d)
{
	bus_detach(&b, &d->r);
	d->r.base += 0x1000;
	ck_assert_int_eq(bus_attach(&b, &d->r), 0);
}

START_TEST(a_handler_may_move_its_own_region)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct dev d = dev_at(0x1000, 0x100);

	d.act = move_up;
	d.r.lock = &lock;
	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	ck_assert(bus_write(&b, 0x1000, 4, 0));
	ck_assert(!bus_write(&b, 0x1000, 4, 0));
	ck_assert_uint_eq(bus_read(&b, 0x2000, 1), 0x11);
	ck_assert(bus_write(&b, 0x3000, 4, 0));
}
END_TEST

static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;

static void expect_locked(struct dev *d)
{
	(void)d;
	ck_assert_int_eq(pthread_mutex_trylock(&seen_lock), EBUSY);
}

START_TEST(the_lock_of_the_region_is_held_in_its_handler)
{
	struct dev d = dev_at(0, 16);

	d.act = expect_locked;
	d.r.lock = &seen_lock;
	ck_assert_int_eq(bus_attach(&b, &d.r), 0);
	(void)bus_read(&b, 0, 4);
	ck_assert(bus_write(&b, 0, 4, 0));
	ck_assert_int_eq(pthread_mutex_trylock(&seen_lock), 0);
	pthread_mutex_unlock(&seen_lock);
}
END_TEST

/*
 * Readers on several threads while a region moves back and forth: each access
 * reaches it at the right offset, or nobody.
 */
#define ROUNDS 3000

static struct dev mover;
static pthread_mutex_t mover_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool moving;
static atomic_uint bad_offsets;

static void check_offset(struct dev *d)
{
	if (d->off != 0x8)
		atomic_fetch_add(&bad_offsets, 1);
}

static void *access_all(void *arg)
{
	(void)arg;
	while (atomic_load(&moving)) {
		(void)bus_read(&b, 0x1008, 4);
		(void)bus_write(&b, 0x9008, 4, 0);
	}
	return NULL;
}

START_TEST(a_region_that_moves_is_never_hit_at_a_wrong_offset)
{
	struct dev still = dev_at(0x5000, 0x100);
	pthread_t t[2];

	mover = dev_at(0x1000, 0x100);
	mover.r.lock = &mover_lock;
	mover.act = check_offset;
	atomic_store(&moving, true);
	ck_assert_int_eq(bus_attach(&b, &still.r), 0);
	ck_assert_int_eq(bus_attach(&b, &mover.r), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, access_all, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mover_lock);
		bus_detach(&b, &mover.r);
		mover.r.base ^= 0x8000;
		ck_assert_int_eq(bus_attach(&b, &mover.r), 0);
		pthread_mutex_unlock(&mover_lock);
		ck_assert(bus_write(&b, 0x5000, 1, 0));
	}
	atomic_store(&moving, false);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(atomic_load(&bad_offsets), 0);
	ck_assert_uint_eq(still.writes, ROUNDS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/bus");
	TCase *tc = tcase_create("bus");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_empty_bus_reads_all_ones);
	tcase_add_test(tc, a_region_sees_offset_size_and_value);
	tcase_add_test(tc, values_are_cut_to_the_size_both_ways);
	tcase_add_test(tc, only_sizes_1_2_4_8_reach_a_region);
	tcase_add_test(tc, an_access_past_the_end_reaches_nobody);
	tcase_add_test(tc, the_topmost_byte_has_its_region);
	tcase_add_test(tc, the_whole_space_can_be_one_region);
	tcase_add_test(tc, bad_regions_are_refused);
	tcase_add_test(tc, overlaps_are_refused_and_neighbours_are_not);
	tcase_add_test(tc, a_full_bus_takes_no_more);
	tcase_add_test(tc,
		       a_detached_region_is_silent_and_may_come_back_elsewhere);
	tcase_add_test(tc, a_region_of_another_bus_is_not_detached);
	tcase_add_test(tc, a_handler_may_move_its_own_region);
	tcase_add_test(tc, the_lock_of_the_region_is_held_in_its_handler);
	tcase_add_test(tc, a_region_that_moves_is_never_hit_at_a_wrong_offset);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Rings: indices, event index, signals, kicks.   [virtio 1.2, 2.7]
 */
#include "virtio/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

static struct fixture *f;

static void setup(uint64_t features, uint16_t size)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, features, size);
}

static void teardown(void)
{
	if (!f)
		return;
	fix_fini(f);
	free(f);
	f = NULL;
}

static void no_setup(void)
{
	f = NULL;
}

/* An 8-byte request: 4 to read, 4 to write. */
static uint16_t add_echo(uint32_t val)
{
	struct vqd_buf bufs[2] = {
		{vqd_put(&f->drv, &val, sizeof(val)), 4, false},
		{vqd_alloc(&f->drv, 4), 4, true},
	};

	return vqd_add(&f->drv, bufs, 2);
}

/* A buffer of 16 writable bytes, all of them the same ones. */
static void add_shared(void)
{
	struct vqd_buf buf = {FIX_RING + FIX_LEN, 16, true};

	(void)vqd_add(&f->drv, &buf, 1);
}

static void use_one(void)
{
	vq_push(f->q, fix_pop(f));
}

static void take_one(void)
{
	uint32_t head, len;

	ck_assert(vqd_get_used(&f->drv, &head, &len));
}

START_TEST(request_comes_back_with_its_head_and_length)
{
	uint32_t head, len;
	uint16_t sent;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	sent = add_echo(0x11223344);
	fix_kick(f);
	ck_assert(vqd_get_used(&f->drv, &head, &len));
	ck_assert_uint_eq(head, sent);
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
	ck_assert(!vqd_get_used(&f->drv, &head, &len));
}
END_TEST

START_TEST(indices_go_round_the_ring_and_past_2_16)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 4);
	for (unsigned i = 0; i < 70000; i++) {
		add_shared();
		ck_assert(vqd_wants_kick(&f->drv));
		virtio_notify(f->d, 0);
		take_one();
		ck_assert(!vqd_interrupts_on(&f->drv));
	}
	ck_assert_uint_eq(f->transport.queue_irqs[0], 70000);
	ck_assert(!fix_is_broken(f));
}
END_TEST

START_TEST(full_ring_is_taken_whole)
{
	setup(FIX_ALL, 8);
	for (unsigned i = 0; i < 8; i++)
		add_shared();
	for (unsigned i = 0; i < 8; i++)
		use_one();

	struct vq_chain *c;

	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 8);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/queue");
	TCase *t = tcase_create("rings");

	tcase_add_checked_fixture(t, no_setup, teardown);
	tcase_add_loop_test(t, request_comes_back_with_its_head_and_length, 0,
			    2);
	tcase_add_loop_test(t, indices_go_round_the_ring_and_past_2_16, 0, 2);
	tcase_add_test(t, full_ring_is_taken_whole);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);

	int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Many requests with one kick: one pass, and answers as if they had been
 * served one after the other.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/bits.h"
#include "iommu/tests/viommu_rig.h"

static struct vrig v;
static unsigned nadded; /* requests since the last look */

static void setup(void)
{
	nadded = 0;
	vrig_init(&v, IOMMU_TOPOLOGY_NONE, NULL);
	vrig_up(&v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
}

static void teardown(void)
{
	vrig_fini(&v);
}

#define OK(call) ck_assert_int_eq(call, IOMMU_OK)

/*
 * Requests in the ring that the device has not been told of.
 */

static iova_t replies[256];

static void add_request(const void *request, uint32_t len)
{
	struct vqd_buf bufs[2] = {
		{vqd_put(&v.req, request, len), len, false},
		{vqd_alloc(&v.req, 4), 4, true},
	};

	replies[nadded++] = bufs[1].at;
	vqd_add_indirect(&v.req, bufs, ARRAY_SIZE(bufs));
}

static void add_attach(uint32_t domain, uint32_t ep)
{
	uint8_t b[20];

	vrig_put_attach(b, domain, ep, 0);
	add_request(b, sizeof(b));
}

static void add_detach(uint32_t domain, uint32_t ep)
{
	uint8_t b[20];

	vrig_put_detach(b, domain, ep);
	add_request(b, sizeof(b));
}

static void add_map(uint32_t domain, unsigned page, unsigned n, unsigned phys)
{
	uint8_t b[36];

	vrig_put_map(b, domain, page * PAGE, (page + n) * PAGE - 1, phys * PAGE,
		     RW);
	add_request(b, sizeof(b));
}

static void add_unmap(uint32_t domain, unsigned page, unsigned n)
{
	uint8_t b[28];

	vrig_put_unmap(b, domain, page * PAGE, (page + n) * PAGE - 1);
	add_request(b, sizeof(b));
}

static int status_of(unsigned n)
{
	uint8_t tail[4];

	vqd_read(&v.req, replies[n], tail, sizeof(tail));
	return tail[0];
}

/* All have completed, in their order. */
static void expect(const enum iommu_status *statuses, unsigned n)
{
	uint32_t head, len;

	ck_assert_uint_eq(n, nadded);
	for (unsigned k = 0; k < n; k++) {
		ck_assert(vqd_get_used(&v.req, &head, &len));
		ck_assert_uint_eq(len, 4);
		ck_assert_int_eq(status_of(k), statuses[k]);
	}
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	nadded = 0;
}

#define EXPECT(...)                                              \
	do {                                                     \
		const enum iommu_status want_[] = {__VA_ARGS__}; \
		expect(want_, ARRAY_SIZE(want_));                \
	} while (0)

/*
 * A vCPU that rings while the test goes on.
 */

struct vcpu {
	pthread_t thread;
	_Atomic bool back;
};

static void *vcpu_ring(void *arg)
{
	struct vcpu *c = arg;

	vrig_ring(&v);
	atomic_store(&c->back, true);
	return NULL;
}

static void vcpu_start(struct vcpu *c)
{
	atomic_store(&c->back, false);
	ck_assert_int_eq(pthread_create(&c->thread, NULL, vcpu_ring, c), 0);
}

static void expect_waiting(struct vcpu *c)
{
	usleep(20000);
	ck_assert(!atomic_load(&c->back));
}

static void hold(unsigned ep, unsigned page, struct dma_hold *ret_hold)
{
	struct iovec iov;

	ck_assert_int_eq(dma_iov(v.rig.dma[ep], DMA_WRITE, page * PAGE, 8, &iov,
				 1, ret_hold),
			 1);
}

static bool can(unsigned ep, unsigned page)
{
	return rig_can(&v.rig, ep, page * PAGE, DMA_READ);
}

/* What the page begins with; 0 if it cannot be read. */
static gpa_t read_page(unsigned ep, unsigned page)
{
	gpa_t val = 0;

	(void)dma_read(v.rig.dma[ep], page * PAGE, &val, sizeof(val));
	return val;
}

/*
 * One pass.
 */

START_TEST(all_of_a_batch_is_taken_out_before_the_wait)
{
	struct dma_hold first;
	struct vcpu c;

	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 256; n++)
		OK(vrig_map(&v, 1, n * PAGE, n * PAGE + PAGE - 1, n * PAGE,
			    RW));
	hold(1, 0, &first);
	for (unsigned n = 0; n < 256; n++)
		add_unmap(1, n, 1);
	vcpu_start(&c);
	vrig_wait_mapped(&v, 0);
	expect_waiting(&c);
	/* The end of the batch is gone, though it completes later. */
	ck_assert(!can(1, 255));
	ck_assert_uint_eq(vqd_used_idx(&v.req), v.req.last_used);
	dma_done(&first);
	pthread_join(c.thread, NULL);
	enum iommu_status ok[256] = {0};
	expect(ok, 256);
}
END_TEST

/* Whichever ends last. */
START_TEST(each_hold_in_the_batch_is_waited_for)
{
	struct dma_hold holds[3];
	struct vcpu c;

	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 3; n++) {
		OK(vrig_map(&v, 1, n * PAGE, n * PAGE + PAGE - 1, 0, RW));
		hold(1, n, &holds[n]);
	}
	for (unsigned n = 0; n < 3; n++)
		add_unmap(1, n, 1);
	vcpu_start(&c);
	vrig_wait_mapped(&v, 0);
	for (unsigned n = 0; n < 3; n++) {
		expect_waiting(&c);
		dma_done(&holds[(n + (unsigned)_i) % 3]);
	}
	pthread_join(c.thread, NULL);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_OK);
}
END_TEST

START_TEST(holds_between_the_ranges_of_a_batch_are_not_waited_for)
{
	struct dma_hold between;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 2, 2, 0));
	for (unsigned n = 0; n < 3; n++)
		OK(vrig_map(&v, 1, n * PAGE, n * PAGE + PAGE - 1, 0, RW));
	OK(vrig_map(&v, 2, 0, PAGE - 1, 0, RW));
	hold(1, 1, &between);
	add_unmap(1, 0, 1);
	add_unmap(2, 0, 1);
	add_unmap(1, 2, 1);
	vrig_ring(&v); /* would hang here */
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_OK);
	ck_assert(can(1, 1));
	dma_done(&between);
}
END_TEST

/* Whichever ends last. */
START_TEST(batch_of_several_domains_waits_for_the_holds_of_each)
{
	struct dma_hold holds[RIG_ENDPOINTS + 1];
	struct vcpu c;

	for (uint32_t ep = 1; ep <= RIG_ENDPOINTS; ep++) {
		OK(vrig_attach(&v, ep, ep, 0));
		OK(vrig_map(&v, ep, 0, PAGE - 1, 0, RW));
		OK(vrig_map(&v, ep, PAGE, 2 * PAGE - 1, 0, RW));
		hold(ep, 1, &holds[ep]);
	}
	for (unsigned page = 0; page < 2; page++)
		for (uint32_t ep = 1; ep <= RIG_ENDPOINTS; ep++)
			add_unmap(ep, page, 1);
	vcpu_start(&c);
	vrig_wait_mapped(&v, 0);
	for (unsigned n = 0; n < RIG_ENDPOINTS; n++) {
		expect_waiting(&c);
		dma_done(&holds[1 + (n + (unsigned)_i) % RIG_ENDPOINTS]);
	}
	pthread_join(c.thread, NULL);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_OK, IOMMU_OK, IOMMU_OK, IOMMU_OK);
}
END_TEST

START_TEST(batch_is_one_interrupt)
{
	unsigned before;

	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 200; n++)
		add_unmap(1, n, 1);
	before = v.transport.queue_irqs[0];
	vrig_ring(&v);
	ck_assert_uint_eq(v.transport.queue_irqs[0], before + 1);
}
END_TEST

START_TEST(maps_before_an_unmap_complete_before_its_wait)
{
	struct dma_hold held;
	struct vcpu c;
	uint32_t head, len;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 0, RW));
	hold(1, 0, &held);
	add_map(1, 7, 1, 7);
	add_unmap(1, 0, 1);
	add_map(1, 8, 1, 8);
	vcpu_start(&c);
	while (!vqd_get_used(&v.req, &head, &len))
		sched_yield();
	OK(status_of(0));
	expect_waiting(&c);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	dma_done(&held);
	pthread_join(c.thread, NULL);
	ck_assert(vqd_get_used(&v.req, &head, &len));
	ck_assert(vqd_get_used(&v.req, &head, &len));
	OK(status_of(1));
	OK(status_of(2));
	nadded = 0;
}
END_TEST

/*
 * Order.
 */

START_TEST(map_behind_an_unmap_takes_its_place)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 5 * PAGE, RW));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0), 5 * PAGE);
	add_unmap(1, 0, 1);
	add_map(1, 0, 1, 6);
	add_map(1, 0, 1, 7); /* in the way */
	add_unmap(1, 0, 1);
	add_map(1, 0, 1, 8);
	vrig_ring(&v);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_INVAL, IOMMU_OK, IOMMU_OK);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0), 8 * PAGE);
	ck_assert_uint_eq(vrig_mappings(&v), 1);
}
END_TEST

START_TEST(old_memory_of_a_page_mapped_anew_is_waited_for)
{
	struct dma_hold held;
	struct vcpu c;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 5 * PAGE, RW));
	hold(1, 0, &held);
	add_unmap(1, 0, 1);
	add_map(1, 0, 1, 6);
	vcpu_start(&c);
	while (read_page(2, 0) != 6 * PAGE)
		sched_yield();
	expect_waiting(&c);
	dma_done(&held);
	pthread_join(c.thread, NULL);
	EXPECT(IOMMU_OK, IOMMU_OK);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0), 6 * PAGE);
}
END_TEST

START_TEST(each_request_of_a_batch_has_its_own_status)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, 4 * PAGE - 1, 0, RW));
	add_unmap(1, 0, 2);  /* splits */
	add_unmap(7, 0, 4);  /* no such domain */
	add_unmap(1, 8, 4);  /* nothing there */
	add_map(1, 3, 2, 9); /* in the way */
	add_unmap(1, 0, 4);
	add_map(1, 3, 2, 9);
	add_unmap(1, 4, 1); /* splits */
	vrig_ring(&v);
	EXPECT(IOMMU_RANGE, IOMMU_NOENT, IOMMU_OK, IOMMU_INVAL, IOMMU_OK,
	       IOMMU_OK, IOMMU_RANGE);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 4 * PAGE), 10 * PAGE);
}
END_TEST

START_TEST(other_requests_keep_their_place_in_a_batch)
{
	uint8_t nonsense[20] = {99};

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 0, RW));
	add_unmap(1, 0, 1);
	add_detach(1, 1);
	add_unmap(1, 0, 1); /* the domain is gone */
	add_attach(1, 1);
	add_map(1, 0, 1, 3);
	add_unmap(1, 0, 1);
	add_attach(2, 1);
	add_map(1, 0, 1, 3);
	add_map(2, 0, 1, 4);
	vrig_ring(&v);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_NOENT, IOMMU_OK, IOMMU_OK, IOMMU_OK,
	       IOMMU_OK, IOMMU_NOENT, IOMMU_OK);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0), 4 * PAGE);

	/* Those that no one knows, too. */
	uint32_t lens[3], head;

	add_unmap(2, 0, 1);
	add_request(nonsense, sizeof(nonsense));
	add_map(2, 0, 1, 5);
	vrig_ring(&v);
	for (unsigned n = 0; n < 3; n++)
		ck_assert(vqd_get_used(&v.req, &head, &lens[n]));
	ck_assert_uint_eq(lens[0], 4);
	ck_assert_uint_eq(lens[1], 0);
	ck_assert_uint_eq(lens[2], 4);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0), 5 * PAGE);
	nadded = 0;
}
END_TEST

START_TEST(tables_that_a_batch_gives_back_are_room_for_its_maps)
{
	struct iommu_config c = rig_config();
	unsigned far = 1u << 20; /* a table of its own, and one above both */

	c.max_memory = 3 * 4200;
	teardown();
	vrig_init(&v, IOMMU_TOPOLOGY_NONE, &c);
	vrig_up(&v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	OK(vrig_attach(&v, 1, 1, 0));
	add_map(1, 0, 1, 0);
	add_map(1, far, 1, 0);
	add_map(1, 2 * far, 1, 0);
	vrig_ring(&v);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_NOMEM);
	add_unmap(1, far, 1);
	add_map(1, 2 * far, 1, 0);
	add_map(1, 3 * far, 1, 0);
	vrig_ring(&v);
	EXPECT(IOMMU_OK, IOMMU_OK, IOMMU_NOMEM);
	ck_assert(can(1, 2 * far));
	ck_assert(!can(1, far));
}
END_TEST

START_TEST(broken_wait_is_told_to_each_unmap_of_the_batch)
{
	struct dma_hold held;
	struct vcpu c;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 0, RW));
	OK(vrig_map(&v, 1, 4 * PAGE, 6 * PAGE - 1, 0, RW));
	hold(1, 0, &held);
	add_unmap(1, 0, 1);
	add_unmap(1, 4, 1); /* splits */
	add_map(1, 9, 1, 6);
	vcpu_start(&c);
	while (!can(1, 9))
		sched_yield();
	expect_waiting(&c);
	iommu_stop_waiting(v.rig.i, true);
	pthread_join(c.thread, NULL);
	EXPECT(IOMMU_DEVERR, IOMMU_RANGE, IOMMU_OK);
	vrig_reset(&v);
	dma_done(&held);
	iommu_stop_waiting(v.rig.i, false);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/viommu_batch");
	TCase *t = tcase_create("viommu_batch");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, all_of_a_batch_is_taken_out_before_the_wait);
	tcase_add_loop_test(t, each_hold_in_the_batch_is_waited_for, 0, 3);
	tcase_add_test(t,
		       holds_between_the_ranges_of_a_batch_are_not_waited_for);
	tcase_add_loop_test(
		t, batch_of_several_domains_waits_for_the_holds_of_each, 0,
		RIG_ENDPOINTS);
	tcase_add_test(t, batch_is_one_interrupt);
	tcase_add_test(t, maps_before_an_unmap_complete_before_its_wait);
	tcase_add_test(t, map_behind_an_unmap_takes_its_place);
	tcase_add_test(t, old_memory_of_a_page_mapped_anew_is_waited_for);
	tcase_add_test(t, each_request_of_a_batch_has_its_own_status);
	tcase_add_test(t, other_requests_keep_their_place_in_a_batch);
	tcase_add_test(t, tables_that_a_batch_gives_back_are_room_for_its_maps);
	tcase_add_test(t, broken_wait_is_told_to_each_unmap_of_the_batch);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

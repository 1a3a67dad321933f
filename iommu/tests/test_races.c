/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Readers, a writer and holds at the same time; run it under TSan too.
 *
 * The proof of order: the writer owns a page of RAM whenever it is not
 * mapped.  It writes its own mark there after UNMAP has returned and checks
 * the mark before the next MAP; readers write another mark through their
 * hold.  A mark that changed was written through a translation that UNMAP
 * had taken away.
 *
 * MOAT_RACE_MS=N sets the length of each test.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "iommu/tests/rig.h"

static struct rig rig;
static _Atomic bool stop;

/* The shared page is RAM that both sides touch through these, so that TSan
 * looks at the protocol and not at the deliberate race on guest memory. */
static void mark_write(const struct iovec *iov, uint64_t val)
{
	__atomic_store_n((uint64_t *)iov->iov_base, val, __ATOMIC_RELAXED);
}

static uint64_t mark_read(const struct iovec *iov)
{
	return __atomic_load_n((uint64_t *)iov->iov_base, __ATOMIC_RELAXED);
}

#define WRITER_MARK UINT64_C(0x7777777777777777)

static unsigned race_ms(void)
{
	const char *ms = getenv("MOAT_RACE_MS");

	return ms ? (unsigned)strtoul(ms, NULL, 0) : 300;
}

struct reader {
	pthread_t thread;
	unsigned ep;
	iova_t at; /* first page */
	uint64_t stride;
	unsigned n;  /* pages, used at random */
	bool linger; /* keep the hold for a moment */
	uint64_t hits, misses;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	unsigned seed = r->ep;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		iova_t at = r->at + (unsigned)rand_r(&seed) % r->n * r->stride;
		struct dma_hold hold;
		struct iovec iov;
		int n = dma_iov(rig.dma[r->ep], DMA_WRITE, at, 8, &iov, 1,
				&hold);

		if (n < 0) {
			ck_assert_int_eq(n, -EFAULT);
			r->misses++;
			continue;
		}
		r->hits++;
		for (unsigned k = 0; k < (r->linger ? 2000 : 1); k++)
			mark_write(&iov, r->ep);
		dma_done(&hold);
	}
	return NULL;
}

static void readers_start(struct reader *r, unsigned n)
{
	atomic_store(&stop, false);
	for (unsigned k = 0; k < n; k++)
		ck_assert_int_eq(pthread_create(&r[k].thread, NULL,
						reader_thread, &r[k]),
				 0);
}

static void readers_join(struct reader *r, unsigned n)
{
	atomic_store(&stop, true);
	for (unsigned k = 0; k < n; k++)
		pthread_join(r[k].thread, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct iovec ram(gpa_t at)
{
	struct iovec iov;

	ck_assert_int_eq(gmem_iov(&rig.mem, at, 8, &iov, 1), 1);
	return iov;
}

static void map_page(iova_t at, gpa_t phys)
{
	ck_assert_int_eq(iommu_map(rig.i, 1, at, at + PAGE - 1, phys, RW),
			 IOMMU_OK);
}

/* Long enough, now and then, for a reader to get in. */
static void dawdle(unsigned n)
{
	if (n % 64 == 0)
		usleep(1);
	for (volatile unsigned k = 0; k < n % 64 * 16;)
		k = k + 1;
}

/* Pages of one node, or pages each in a node of its own. */
static void unmap_then_own(uint64_t stride, bool linger)
{
	enum { PAGES = 4 };
	struct reader r[2] = {
		{.ep = 1,
		 .at = GIB(8),
		 .stride = stride,
		 .n = PAGES,
		 .linger = linger},
		{.ep = 2,
		 .at = GIB(8),
		 .stride = stride,
		 .n = PAGES,
		 .linger = linger},
	};
	struct iovec page;
	unsigned turn = 0;
	uint64_t end;

	rig_init(&rig, NULL);
	iommu_set_fault_sink(rig.i, NULL); /* two readers share the rig's */
	page = ram(0x5000);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 2, false), IOMMU_OK);
	/* A neighbour keeps the node alive if the stride is a page. */
	if (stride == PAGE)
		map_page(GIB(8) + 100 * PAGE, 0x8000);
	readers_start(r, 2);
	mark_write(&page, WRITER_MARK);
	for (end = now_ms() + race_ms(); now_ms() < end;) {
		for (unsigned k = 0; k < PAGES; k++) {
			iova_t at = GIB(8) + k * stride;

			ck_assert_uint_eq(mark_read(&page), WRITER_MARK);
			map_page(at, 0x5000);
			dawdle(turn++);
			ck_assert_int_eq(iommu_unmap(rig.i, 1, at,
						     at + PAGE - 1),
					 IOMMU_OK);
			mark_write(&page, WRITER_MARK);
			dawdle(turn * 7);
		}
	}
	readers_join(r, 2);
	ck_assert_uint_eq(mark_read(&page), WRITER_MARK);
	rig_fini(&rig);
}

static void detach_then_own(void)
{
	struct reader r = {.ep = 1, .at = 0x5000, .n = 1};
	struct iovec page;
	uint64_t end;

	rig_init(&rig, NULL);
	iommu_set_fault_sink(rig.i, NULL); /* two readers share the rig's */
	page = ram(0x5000);
	readers_start(&r, 1);
	mark_write(&page, WRITER_MARK);
	for (end = now_ms() + race_ms(); now_ms() < end;) {
		ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
		map_page(0x5000, 0x5000);
		ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
		mark_write(&page, WRITER_MARK);
		usleep(1);
		ck_assert_uint_eq(mark_read(&page), WRITER_MARK);

		ck_assert_int_eq(iommu_attach(rig.i, 2, 1, true), IOMMU_OK);
		ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
		mark_write(&page, WRITER_MARK);
		usleep(1);
		ck_assert_uint_eq(mark_read(&page), WRITER_MARK);

		map_page(0x5000, 0x5000);
		iommu_reset(rig.i);
		mark_write(&page, WRITER_MARK);
		usleep(1);
		ck_assert_uint_eq(mark_read(&page), WRITER_MARK);

		iommu_set_bypass(rig.i, true);
		iommu_set_bypass(rig.i, false);
		mark_write(&page, WRITER_MARK);
		usleep(1);
		ck_assert_uint_eq(mark_read(&page), WRITER_MARK);
	}
	readers_join(&r, 1);
	rig_fini(&rig);
}

START_TEST(no_access_after_unmap_within_a_node)
{
	unmap_then_own(PAGE, false);
}
END_TEST

START_TEST(no_access_after_unmap_with_long_holds)
{
	unmap_then_own(PAGE, true);
}
END_TEST

START_TEST(no_access_after_unmap_when_nodes_come_and_go)
{
	unmap_then_own(MIB(2), false);
}
END_TEST

START_TEST(no_access_after_unmap_when_paths_change)
{
	unmap_then_own(GIB(1), true);
}
END_TEST

START_TEST(no_access_after_detach_move_reset_and_bypass)
{
	detach_then_own();
}
END_TEST

/* A hold in another thread's hands, and an operation that must wait. */
struct op {
	pthread_t thread;
	void (*run)(void);
	_Atomic bool done;
};

static void *op_thread(void *arg)
{
	struct op *op = arg;

	op->run();
	atomic_store(&op->done, true);
	return NULL;
}

static void op_unmap(void)
{
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x5000, 0x5fff), IOMMU_OK);
}

static void op_detach(void)
{
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
}

static void op_move(void)
{
	ck_assert_int_eq(iommu_attach(rig.i, 2, 1, false), IOMMU_OK);
}

static void op_reset(void)
{
	iommu_reset(rig.i);
}

static void op_bypass_off(void)
{
	iommu_set_bypass(rig.i, false);
}

static void op_broken_unmap(void)
{
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x5000, 0x5fff), IOMMU_DEVERR);
}

static void op_broken_reset(void)
{
	iommu_reset(rig.i);
}

static void hold_page(struct dma_hold *hold)
{
	struct iovec iov;

	rig_init(&rig, NULL);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	map_page(0x5000, 0x5000);
	map_page(0x6000, 0x6000);
	ck_assert_int_eq(
		dma_iov(rig.dma[1], DMA_READ, 0x5ff8, 8, &iov, 1, hold), 1);
}

static void op_start(struct op *op, void (*run)(void))
{
	*op = (struct op){.run = run};
	ck_assert_int_eq(pthread_create(&op->thread, NULL, op_thread, op), 0);
}

static void expect_waits(void (*run)(void))
{
	struct dma_hold hold;
	struct op op;

	hold_page(&hold);
	op_start(&op, run);
	usleep(20000);
	ck_assert(!atomic_load(&op.done));
	/* Others go on meanwhile: translations, faults, statistics. */
	rig_expect_fault(&rig, 2, 0x5000, 1, DMA_READ, IOMMU_FAULT_DOMAIN,
			 0x5000);
	iommu_get_stats(rig.i, &(struct iommu_stats){0});
	ck_assert(!atomic_load(&op.done));
	dma_done(&hold);
	pthread_join(op.thread, NULL);
	rig_fini(&rig);
}

START_TEST(unmap_waits_for_the_hold)
{
	expect_waits(op_unmap);
}
END_TEST

START_TEST(detach_waits_for_the_hold)
{
	expect_waits(op_detach);
}
END_TEST

START_TEST(attach_elsewhere_waits_for_the_hold)
{
	expect_waits(op_move);
}
END_TEST

START_TEST(reset_waits_for_the_hold)
{
	expect_waits(op_reset);
}
END_TEST

START_TEST(bypass_off_waits_for_holds_without_a_domain)
{
	struct dma_hold hold;
	struct iovec iov;
	struct op op;

	rig_init(&rig, NULL);
	iommu_set_bypass(rig.i, true);
	ck_assert_int_eq(
		dma_iov(rig.dma[3], DMA_READ, 0x5000, 8, &iov, 1, &hold), 1);
	op_start(&op, op_bypass_off);
	usleep(20000);
	ck_assert(!atomic_load(&op.done));
	dma_done(&hold);
	pthread_join(op.thread, NULL);
	rig_fini(&rig);
}
END_TEST

START_TEST(unmap_of_another_page_does_not_wait)
{
	struct dma_hold hold;

	hold_page(&hold);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x6000, 0x6fff), IOMMU_OK);
	dma_done(&hold);
	rig_fini(&rig);
}
END_TEST

/* Who looks up another page may be in the node that goes. */
START_TEST(unmap_that_frees_a_node_waits_for_lookups_under_way)
{
	struct recall *user;
	uint64_t use;
	struct op op;

	rig_init(&rig, NULL);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	map_page(0x5000, 0x5000);
	user = rig.dma[1]->recall;
	use = recall_use(user, 0x7000);
	(void)recall_hold(user, RECALL_BULK, use);
	op_start(&op, op_unmap);
	usleep(20000);
	ck_assert(!atomic_load(&op.done));
	recall_settle(user, RECALL_BULK, use);
	pthread_join(op.thread, NULL);
	(void)recall_end(user, RECALL_BULK);
	rig_fini(&rig);
}
END_TEST

START_TEST(attach_of_another_endpoint_does_not_wait)
{
	struct dma_hold hold;

	hold_page(&hold);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 2, false), IOMMU_OK);
	ck_assert_int_eq(iommu_detach(rig.i, 1, 2), IOMMU_OK);
	dma_done(&hold);
	rig_fini(&rig);
}
END_TEST

START_TEST(stop_breaks_an_unmap_and_nothing_leaks_or_dangles)
{
	struct dma_hold hold;
	struct op op;

	hold_page(&hold);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x6000, 0x6fff), IOMMU_OK);
	op_start(&op, op_broken_unmap); /* takes a node out */
	usleep(20000);
	iommu_stop_waiting(rig.i, true);
	pthread_join(op.thread, NULL);
	dma_done(&hold);
	iommu_stop_waiting(rig.i, false);
	iommu_power_on_reset(rig.i);
	rig_fini(&rig);
}
END_TEST

START_TEST(stop_breaks_a_reset)
{
	struct iommu_stats s;
	struct dma_hold hold;
	struct op op;

	hold_page(&hold);
	op_start(&op, op_broken_reset);
	usleep(20000);
	iommu_stop_waiting(rig.i, true);
	pthread_join(op.thread, NULL);
	/* The domain is out of sight, but its memory still there. */
	iommu_get_stats(rig.i, &s);
	ck_assert_uint_eq(s.domains, 0);
	ck_assert_uint_gt(s.table_bytes, 0);
	dma_done(&hold);
	iommu_stop_waiting(rig.i, false);
	iommu_reset(rig.i);
	iommu_get_stats(rig.i, &s);
	ck_assert_uint_eq(s.table_bytes, 0);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/races");
	TCase *t = tcase_create("races");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 300);
	tcase_add_test(t, no_access_after_unmap_within_a_node);
	tcase_add_test(t, no_access_after_unmap_with_long_holds);
	tcase_add_test(t, no_access_after_unmap_when_nodes_come_and_go);
	tcase_add_test(t, no_access_after_unmap_when_paths_change);
	tcase_add_test(t, no_access_after_detach_move_reset_and_bypass);
	tcase_add_test(t, unmap_waits_for_the_hold);
	tcase_add_test(t, detach_waits_for_the_hold);
	tcase_add_test(t, attach_elsewhere_waits_for_the_hold);
	tcase_add_test(t, reset_waits_for_the_hold);
	tcase_add_test(t, bypass_off_waits_for_holds_without_a_domain);
	tcase_add_test(t, unmap_of_another_page_does_not_wait);
	tcase_add_test(t, unmap_that_frees_a_node_waits_for_lookups_under_way);
	tcase_add_test(t, attach_of_another_endpoint_does_not_wait);
	tcase_add_test(t, stop_breaks_an_unmap_and_nothing_leaks_or_dangles);
	tcase_add_test(t, stop_breaks_a_reset);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

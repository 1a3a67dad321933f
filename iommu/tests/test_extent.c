/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Extents, and who keeps them: a device with a cache of its own.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/bits.h"
#include "iommu/notice.h"
#include "iommu/pgtable.h"
#include "iommu/tests/rig.h"

#define KEPT_MAX 512

/* What the device has been told and not been told to forget. */
struct cache {
	struct dma_listener listener;
	pthread_mutex_t lock;
	unsigned n;
	struct dma_extent kept[KEPT_MAX];
};

static struct rig rig;
static struct cache cache;

static void cache_gone(struct dma_listener *l, const struct range *r,
		       unsigned n)
{
	struct cache *c = container_of(l, struct cache, listener);

	pthread_mutex_lock(&c->lock);
	for (unsigned k = 0; k < n; k++) {
		for (unsigned i = 0; i < c->n;) {
			if (c->kept[i].first <= r[k].last &&
			    r[k].first <= c->kept[i].last)
				c->kept[i] = c->kept[--c->n];
			else
				i++;
		}
	}
	pthread_mutex_unlock(&c->lock);
}

static unsigned kept(void)
{
	unsigned n;

	pthread_mutex_lock(&cache.lock);
	n = cache.n;
	pthread_mutex_unlock(&cache.lock);
	return n;
}

/* As a device does it: kept while it is held. */
static int keep(iova_t at, enum dma_access access)
{
	struct dma_extent e;
	struct dma_hold hold;
	int r = dma_extent(rig.dma[1], at, access, &e, &hold);

	if (r < 0)
		return r;
	pthread_mutex_lock(&cache.lock);
	if (cache.n < KEPT_MAX)
		cache.kept[cache.n++] = e;
	pthread_mutex_unlock(&cache.lock);
	dma_done(&hold);
	return 0;
}

static void setup(void)
{
	rig_init(&rig, NULL);
	cache = (struct cache){.listener.gone = cache_gone};
	pthread_mutex_init(&cache.lock, NULL);
	rig.dma[1]->listener = &cache.listener;
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
}

static void teardown(void)
{
	rig_fini(&rig);
	pthread_mutex_destroy(&cache.lock);
}

static void map(iova_t at, uint64_t len, gpa_t phys, uint32_t flags)
{
	ck_assert_int_eq(iommu_map(rig.i, 1, at, at + (len - 1), phys, flags),
			 IOMMU_OK);
}

static void unmap(iova_t at, uint64_t len)
{
	ck_assert_int_eq(iommu_unmap(rig.i, 1, at, at + (len - 1)), IOMMU_OK);
}

static struct dma_extent extent_of(iova_t at, enum dma_access access)
{
	struct dma_extent e;
	struct dma_hold hold;

	ck_assert_int_eq(dma_extent(rig.dma[1], at, access, &e, &hold), 0);
	dma_done(&hold);
	return e;
}

static int error_of(iova_t at, enum dma_access access)
{
	struct dma_extent e;
	struct dma_hold hold;

	return dma_extent(rig.dma[1], at, access, &e, &hold);
}

static void is(struct dma_extent e, iova_t first, iova_t last, gpa_t phys,
	       unsigned access)
{
	ck_assert_uint_eq(e.first, first);
	ck_assert_uint_eq(e.last, last);
	ck_assert_ptr_eq(e.host, gmem_host(&rig.mem, phys, 1));
	ck_assert_uint_eq(e.access, access);
}

START_TEST(an_extent_is_all_of_a_mapping)
{
	map(0x10000, 0x8000, 0x3000, RW);
	is(extent_of(0x10000, DMA_READ), 0x10000, 0x17fff, 0x3000,
	   DMA_READ | DMA_WRITE);
	/* Pages are leaves of their own; behind the address they are joined. */
	is(extent_of(0x14010, DMA_WRITE), 0x14000, 0x17fff, 0x7000,
	   DMA_READ | DMA_WRITE);
}
END_TEST

START_TEST(neighbours_are_joined_if_memory_and_permission_go_on)
{
	map(0x1000, PAGE, 0x8000, RW);
	map(0x2000, PAGE, 0x9000, RW);
	map(0x3000, PAGE, 0xa000, IOMMU_MAP_READ);
	map(0x4000, PAGE, 0xf000, IOMMU_MAP_READ);
	is(extent_of(0x1000, DMA_READ), 0x1000, 0x2fff, 0x8000,
	   DMA_READ | DMA_WRITE);
	is(extent_of(0x3000, DMA_READ), 0x3000, 0x3fff, 0xa000, DMA_READ);
}
END_TEST

START_TEST(what_is_not_reachable_is_no_fault_yet)
{
	map(0x3000, PAGE, 0xa000, IOMMU_MAP_READ);
	ck_assert_int_eq(error_of(0x3000, DMA_WRITE), -EFAULT);
	ck_assert_int_eq(error_of(0x4000, DMA_READ), -EFAULT);
	map(0x8000, PAGE, GIB(100), RW);
	ck_assert_int_eq(error_of(0x8000, DMA_READ), -EFAULT);
	ck_assert_uint_eq(rig.nfaults, 0);
	/* Nothing is held: this would wait for ever. */
	unmap(0, MIB(1));
}
END_TEST

START_TEST(of_a_mapping_across_the_end_of_ram_the_part_that_is_ram)
{
	map(GIB(1), MIB(4), RIG_RAM0_SIZE - MIB(1), RW);
	is(extent_of(GIB(1) + PAGE, DMA_READ), GIB(1), GIB(1) + MIB(1) - 1,
	   RIG_RAM0_SIZE - MIB(1), DMA_READ | DMA_WRITE);
	ck_assert_int_eq(error_of(GIB(1) + MIB(1), DMA_READ), -EFAULT);
}
END_TEST

START_TEST(in_bypass_it_is_ram_between_reserved_regions)
{
	const struct iommu_resv_region hole = {IOMMU_RESV_RESERVED, MIB(4),
					       MIB(5) - 1};

	ck_assert_int_eq(iommu_endpoint_reserve(rig.ep[1], &hole, 1, NULL), 0);
	ck_assert_int_eq(iommu_attach(rig.i, 2, 1, true), IOMMU_OK);
	is(extent_of(MIB(1), DMA_READ), 0, MIB(4) - 1, 0, DMA_READ | DMA_WRITE);
	ck_assert_int_eq(error_of(MIB(4), DMA_READ), -EFAULT);
	is(extent_of(MIB(5), DMA_READ), MIB(5), RIG_RAM0_SIZE - 1, MIB(5),
	   DMA_READ | DMA_WRITE);
	is(extent_of(RIG_RAM1_AT + 5, DMA_WRITE), RIG_RAM1_AT,
	   RIG_RAM1_AT + RIG_RAM1_SIZE - 1, RIG_RAM1_AT, DMA_READ | DMA_WRITE);
	ck_assert_int_eq(error_of(RIG_MSI_FIRST, DMA_WRITE), -EFAULT);
}
END_TEST

START_TEST(the_last_page_of_the_space_has_an_extent)
{
	map(TOP - PAGE + 1, PAGE, 0x5000, RW);
	is(extent_of(TOP, DMA_READ), TOP - PAGE + 1, TOP, 0x5000,
	   DMA_READ | DMA_WRITE);
}
END_TEST

START_TEST(an_unmap_tells_the_listener_and_of_other_pages_it_does_not)
{
	map(0x1000, PAGE, 0x8000, RW);
	map(0x5000, PAGE, 0x9000, RW);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	ck_assert_int_eq(keep(0x5000, DMA_READ), 0);
	unmap(0x1000, PAGE);
	ck_assert_uint_eq(kept(), 1);
	ck_assert_uint_eq(cache.kept[0].first, 0x5000);
}
END_TEST

START_TEST(whatever_takes_translations_away_tells_the_listener)
{
	map(0x1000, PAGE, 0x8000, RW);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
	ck_assert_uint_eq(kept(), 0);

	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	map(0x1000, PAGE, 0x8000, RW);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	ck_assert_int_eq(iommu_attach(rig.i, 2, 1, false), IOMMU_OK);
	ck_assert_uint_eq(kept(), 0);

	ck_assert_int_eq(iommu_detach(rig.i, 2, 1), IOMMU_OK);
	iommu_set_bypass(rig.i, true);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	iommu_set_bypass(rig.i, false);
	ck_assert_uint_eq(kept(), 0);

	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, true), IOMMU_OK);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	iommu_reset(rig.i);
	ck_assert_uint_eq(kept(), 0);

	iommu_set_bypass(rig.i, true);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	iommu_power_on_reset(rig.i);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_int_eq(error_of(0x1000, DMA_READ), -EFAULT);
}
END_TEST

/* What others lose is not its business, were it in the same domain. */
START_TEST(a_listener_is_told_of_its_own_endpoint_alone)
{
	map(0x1000, PAGE, 0x8000, RW);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	ck_assert_int_eq(iommu_attach(rig.i, 2, 2, false), IOMMU_OK);
	ck_assert_int_eq(iommu_map(rig.i, 2, 0x1000, 0x1fff, 0, RW), IOMMU_OK);
	ck_assert_int_eq(iommu_unmap(rig.i, 2, 0x1000, 0x1fff), IOMMU_OK);
	ck_assert_int_eq(iommu_attach(rig.i, 1, 2, false), IOMMU_OK);
	ck_assert_int_eq(iommu_detach(rig.i, 1, 2), IOMMU_OK);
	iommu_set_bypass(rig.i, true);
	iommu_set_bypass(rig.i, false);
	ck_assert_uint_eq(kept(), 1);
}
END_TEST

/* However many there are, and wherever in their list it is. */
START_TEST(a_listener_of_one_view_hears_beside_other_views)
{
	struct dma *others[3];
	uint64_t word;

	for (unsigned k = 0; k < 3; k++) {
		ck_assert_int_eq(iommu_endpoint_view(rig.ep[1], &others[k]), 0);
		map(0x1000, PAGE, 0x8000, RW);
		ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
		ck_assert_int_eq(dma_read(others[k], 0x1000, &word, 8), 0);
		unmap(0x1000, PAGE);
		ck_assert_uint_eq(kept(), 0);
		ck_assert_int_eq(dma_read(others[k], 0x1000, &word, 8),
				 -EFAULT);
	}
}
END_TEST

/* Big leaves, and a hole between two. */
START_TEST(an_unmap_of_several_mappings_tells_of_each)
{
	map(GIB(1), MIB(4), MIB(4), RW);
	map(GIB(1) + MIB(4), PAGE, MIB(1), RW);
	map(GIB(1) + MIB(8), PAGE, MIB(1), IOMMU_MAP_READ);
	map(GIB(1) + MIB(8) + PAGE, PAGE, MIB(1), RW);
	ck_assert_int_eq(keep(GIB(1) + MIB(3), DMA_READ), 0);
	ck_assert_int_eq(keep(GIB(1) + MIB(4), DMA_READ), 0);
	ck_assert_int_eq(keep(GIB(1) + MIB(8), DMA_READ), 0);
	ck_assert_int_eq(keep(GIB(1) + MIB(8) + PAGE, DMA_READ), 0);
	ck_assert_uint_eq(kept(), 4);
	unmap(GIB(1), MIB(8) + PAGE);
	ck_assert_uint_eq(kept(), 1);
	unmap(0, GIB(2));
	ck_assert_uint_eq(kept(), 0);
}
END_TEST

/* The device may have met the pages that were entered before there was no more
 * memory. */
START_TEST(a_map_that_fails_half_way_tells_of_that_half)
{
	struct iommu_config config = rig_config();

	rig_fini(&rig);
	config.max_memory = 2 * sizeof(struct pt_node);
	rig_init(&rig, &config);
	rig.dma[1]->listener = &cache.listener;
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	map(0, PAGE, 0x1000, RW);
	ck_assert_int_eq(keep(0, DMA_READ), 0);
	cache.kept[cache.n++] = (struct dma_extent){
		.first = MIB(2) - PAGE,
		.last = MIB(2) - 1,
	};
	/* Pages, a leaf of 2 MiB, and pages, for which a third node lacks. */
	ck_assert_int_eq(iommu_map(rig.i, 1, MIB(2) - PAGE, MIB(4) + PAGE - 1,
				   0, RW),
			 IOMMU_NOMEM);
	ck_assert_uint_eq(kept(), 1);
	ck_assert_uint_eq(cache.kept[0].first, 0);
}
END_TEST

/* Even if nobody waits for holds any more. */
START_TEST(a_listener_is_told_when_the_machine_stops)
{
	struct dma_extent e;
	struct dma_hold hold;

	map(0x1000, PAGE, 0x8000, RW);
	ck_assert_int_eq(keep(0x1000, DMA_READ), 0);
	ck_assert_int_eq(dma_extent(rig.dma[1], 0x1000, DMA_READ, &e, &hold),
			 0);
	iommu_stop_waiting(rig.i, true);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x1000, 0x1fff), IOMMU_DEVERR);
	iommu_stop_waiting(rig.i, false);
	dma_done(&hold);
	ck_assert_uint_eq(kept(), 0);
}
END_TEST

static int use(iova_t at)
{
	struct iovec iov;
	struct dma_hold hold = {0};
	int n = dma_iov(rig.dma[1], DMA_READ, at, 1, &iov, 1, &hold);

	dma_done(&hold);
	return n;
}

/* They share what the view hears. */
START_TEST(after_an_extent_the_short_way_knows_what_has_gone)
{
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
	iommu_set_bypass(rig.i, true);
	for (unsigned k = 0; k < NOTICE_PATIENCE + 1; k++)
		ck_assert_int_eq(use(0x1000), 1);
	iommu_set_bypass(rig.i, false);
	ck_assert_int_eq(error_of(0x1000, DMA_READ), -EFAULT);
	ck_assert_int_eq(use(0x1000), -EFAULT);
}
END_TEST

#define PAGES 16

static _Atomic bool stop;

static void *keeper(void *arg)
{
	unsigned k = 0;

	(void)arg;
	while (!atomic_load(&stop))
		(void)keep((k++ * 7 % PAGES + 1) * PAGE, DMA_READ);
	return NULL;
}

/* The promise: after an UNMAP the device's cache has nothing of it. */
START_TEST(what_is_kept_is_mapped_however_both_race)
{
	pthread_t thread;

	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, keeper, NULL), 0);
	for (unsigned k = 0; k < 20000; k++) {
		const iova_t at = (k % PAGES + 1) * PAGE;
		bool left = false;

		map(at, PAGE, at + MIB(k % 8), RW);
		unmap(at, PAGE);
		pthread_mutex_lock(&cache.lock);
		for (unsigned i = 0; i < cache.n; i++)
			left |= cache.kept[i].first <= at &&
				at <= cache.kept[i].last;
		pthread_mutex_unlock(&cache.lock);
		ck_assert(!left);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/extent");
	TCase *t = tcase_create("extent");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_extent_is_all_of_a_mapping);
	tcase_add_test(t, neighbours_are_joined_if_memory_and_permission_go_on);
	tcase_add_test(t, what_is_not_reachable_is_no_fault_yet);
	tcase_add_test(t,
		       of_a_mapping_across_the_end_of_ram_the_part_that_is_ram);
	tcase_add_test(t, in_bypass_it_is_ram_between_reserved_regions);
	tcase_add_test(t, the_last_page_of_the_space_has_an_extent);
	tcase_add_test(
		t, an_unmap_tells_the_listener_and_of_other_pages_it_does_not);
	tcase_add_test(t, whatever_takes_translations_away_tells_the_listener);
	tcase_add_test(t, a_listener_is_told_of_its_own_endpoint_alone);
	tcase_add_test(t, a_listener_of_one_view_hears_beside_other_views);
	tcase_add_test(t, an_unmap_of_several_mappings_tells_of_each);
	tcase_add_test(t, a_map_that_fails_half_way_tells_of_that_half);
	tcase_add_test(t, a_listener_is_told_when_the_machine_stops);
	tcase_add_test(t, after_an_extent_the_short_way_knows_what_has_gone);
	tcase_add_test(t, what_is_kept_is_mapped_however_both_race);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

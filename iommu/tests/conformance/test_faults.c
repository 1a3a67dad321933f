/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Fault records on the event queue, sent by the device's loop.
 * [virtio 1.2, 5.13.6.9]
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "iommu/tests/conformance/conf.h"
#include "iommu/viommu_faults.h"

#define UNKNOWN 0
#define DOMAIN	1
#define MAPPING 2
#define R	0x101
#define W	0x102

static struct viommu_stats stats(void)
{
	struct viommu_stats s;

	viommu_get_stats(v.d, &s);
	return s;
}

static void touch(unsigned ep, iova_t at, enum dma_access access)
{
	ck_assert(!conf_may(ep, at, access));
}

static void expect_event(unsigned reason, unsigned flags, unsigned ep,
			 iova_t at)
{
	uint8_t r[24];

	ck_assert_uint_eq(vrig_event(&v, r), 24);
	ck_assert_uint_eq(r[0], reason);
	ck_assert_uint_eq(r[1] | r[2] | r[3], 0);
	ck_assert_uint_eq(le32_load(r + 4), flags);
	ck_assert_uint_eq(le32_load(r + 8), ep);
	ck_assert_uint_eq(le32_load(r + 12), 0);
	ck_assert_uint_eq(le64_load(r + 16), at);
}

START_TEST(d56_d57_d58_g14a_g14b_g14c_g14d_bytes_of_the_records)
{
	vrig_loop_start(&v);
	vrig_add_events(&v, 64, 24);
	touch(1, 0x1234, DMA_READ);
	expect_event(DOMAIN, R, 1, 0x1234);
	OK(vrig_attach(&v, 1, 2, 0));
	touch(2, 0xfffffffffffff123, DMA_WRITE);
	expect_event(MAPPING, W, 2, 0xfffffffffffff123);
	OK(vrig_map(&v, 1, 0x5000, 0x5fff, 0x5000, IOMMU_MAP_READ));
	touch(2, 0x5678, DMA_WRITE);
	expect_event(MAPPING, W, 2, 0x5678);
	ck_assert(conf_may(2, 0x5678, DMA_READ));
	/* In bypass, but no memory. */
	OK(vrig_attach(&v, 2, 3, 1));
	touch(3, GIB(2), DMA_READ);
	expect_event(UNKNOWN, R, 3, GIB(2));
	/* The event queue interrupts. */
	pthread_mutex_lock(&v.d->lock);
	ck_assert_uint_ge(v.transport.queue_irqs[1], 1);
	pthread_mutex_unlock(&v.d->lock);
	ck_assert_uint_eq(stats().faults_sent, 4);
	ck_assert_uint_eq(stats().faults_dropped, 0);
}
END_TEST

START_TEST(d59_address_is_always_told)
{
	uint8_t r[24];

	vrig_loop_start(&v);
	vrig_add_events(&v, 64, 24);
	for (unsigned bit = 0; bit < 64; bit++) {
		touch(1, BIT_ULL(bit), DMA_READ);
		ck_assert_uint_eq(vrig_event(&v, r), 24);
		ck_assert(le32_load(r + 4) & 0x100);
		ck_assert_uint_eq(le64_load(r + 16), BIT_ULL(bit));
	}
}
END_TEST

START_TEST(address_is_that_of_the_first_byte_that_faults)
{
	vrig_loop_start(&v);
	vrig_add_events(&v, 64, 24);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
	iommu_set_fault_sink(v.rig.i, &v.rig.sink);
	rig_expect_fault(&v.rig, 1, 0x5800, 0x1000, DMA_WRITE,
			 IOMMU_FAULT_MAPPING, 0x6000);
}
END_TEST

START_TEST(d60_buffer_that_is_too_small_gets_no_part_of_a_record)
{
	uint8_t r[24];

	vrig_loop_start(&v);
	vrig_add_events(&v, 1, 23);
	vrig_add_events(&v, 1, 1);
	vrig_add_events(&v, 1, 100);
	touch(1, 0x1000, DMA_READ);
	ck_assert_uint_eq(vrig_event(&v, r), 0);
	touch(1, 0x2000, DMA_READ);
	ck_assert_uint_eq(vrig_event(&v, r), 0);
	touch(1, 0x3000, DMA_READ);
	expect_event(DOMAIN, R, 1, 0x3000);
	ck_assert_uint_eq(stats().faults_dropped, 2);
}
END_TEST

static void until_dropped(uint64_t n)
{
	while (stats().faults_dropped < n)
		usleep(1000);
}

START_TEST(d61_faults_without_a_buffer_are_dropped_and_counted)
{
	vrig_loop_start(&v);
	touch(1, 0x1000, DMA_READ);
	until_dropped(1);
	ck_assert_uint_eq(stats().faults_sent, 0);
	vrig_add_events(&v, 1, 24);
	touch(1, 0x2000, DMA_READ);
	expect_event(DOMAIN, R, 1, 0x2000);
	touch(1, 0x3000, DMA_READ);
	until_dropped(2);
}
END_TEST

START_TEST(d62_broken_ring_needs_a_reset)
{
	unsigned before = v.transport.config_irqs;

	vqd_offer(&v.req, 256);
	vrig_ring(&v);
	ck_assert(v.d->status & VIRTIO_STATUS_NEEDS_RESET);
	ck_assert_uint_eq(v.transport.config_irqs, before + 1);
	/* And works again after one. */
	conf_restart(VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

START_TEST(d65_faults_before_driver_ok_are_dropped)
{
	vrig_loop_start(&v);
	vrig_reset(&v);
	touch(1, 0x1000, DMA_READ);
	until_dropped(1);
	vrig_up(&v, VRIG_FEATURES);
	vrig_add_events(&v, 4, 24);
	touch(1, 0x2000, DMA_READ);
	expect_event(DOMAIN, R, 1, 0x2000);
}
END_TEST

START_TEST(fault_that_is_kept_is_not_told_the_next_driver)
{
	touch(1, 0x1000, DMA_READ);
	vrig_reset(&v);
	vrig_up(&v, VRIG_FEATURES);
	vrig_add_events(&v, 4, 24);
	touch(1, 0x2000, DMA_READ);
	vrig_loop_start(&v);
	expect_event(DOMAIN, R, 1, 0x2000);
}
END_TEST

START_TEST(flood_of_faults_is_limited)
{
	enum { N = 3 * VIOMMU_FAULTS_PER_SECOND };
	struct viommu_stats s;

	vrig_loop_start(&v);
	for (unsigned n = 0; n < N; n++) {
		touch(1, n * PAGE, DMA_WRITE);
		if (n % 16 == 0)
			usleep(10); /* let the loop empty the store */
	}
	do {
		usleep(1000);
		s = stats();
	} while (s.faults_sent + s.faults_dropped < N);
	ck_assert_uint_eq(s.faults_sent + s.faults_dropped, N);
}
END_TEST

START_TEST(faults_are_kept_in_order_and_limited_by_the_second)
{
	enum { N = 5 * VIOMMU_FAULTS_PER_SECOND };
	struct viommu_faults faults;
	struct iommu_fault f = {0}, got;
	unsigned taken = 0;

	ck_assert_int_eq(viommu_faults_init(&faults, NULL, NULL, NULL), 0);
	for (f.at = 0; f.at < 2 * VIOMMU_FAULTS_KEPT; f.at++)
		faults.sink.report(&faults.sink, &f);
	ck_assert_uint_eq(viommu_faults_dropped(&faults), VIOMMU_FAULTS_KEPT);
	for (iova_t at = 0; at < VIOMMU_FAULTS_KEPT; at++) {
		ck_assert(viommu_faults_take(&faults, &got));
		ck_assert_uint_eq(got.at, at);
	}
	ck_assert(!viommu_faults_take(&faults, &got));
	for (unsigned n = 0; n < N; n++) {
		faults.sink.report(&faults.sink, &f);
		taken += viommu_faults_take(&faults, &got);
	}
	/* At most one second ends meanwhile. */
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_le(taken, 2 * VIOMMU_FAULTS_PER_SECOND);
	ck_assert_uint_eq(viommu_faults_dropped(&faults),
			  N + VIOMMU_FAULTS_KEPT - taken);
	viommu_faults_fini(&faults);
}
END_TEST

static void add(TCase *t)
{
	tcase_set_timeout(t, 60);
	tcase_add_test(t, d56_d57_d58_g14a_g14b_g14c_g14d_bytes_of_the_records);
	tcase_add_test(t, d59_address_is_always_told);
	tcase_add_test(t, address_is_that_of_the_first_byte_that_faults);
	tcase_add_test(t,
		       d60_buffer_that_is_too_small_gets_no_part_of_a_record);
	tcase_add_test(t, d61_faults_without_a_buffer_are_dropped_and_counted);
	tcase_add_test(t, d62_broken_ring_needs_a_reset);
	tcase_add_test(t, d65_faults_before_driver_ok_are_dropped);
	tcase_add_test(t, fault_that_is_kept_is_not_told_the_next_driver);
	tcase_add_test(t, flood_of_faults_is_limited);
	tcase_add_test(t, faults_are_kept_in_order_and_limited_by_the_second);
}

int main(void)
{
	return conf_main("iommu/conformance/faults", add);
}

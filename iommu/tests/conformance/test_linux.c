/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What Linux does, whatever the text says: its addresses, its batches, what it
 * reads of a reply and what it never does.
 */
#include <string.h>

#include "iommu/tests/conformance/conf.h"

START_TEST(topmost_page_of_a_64_bit_space)
{
	OK(vrig_attach(&v, 0, 1, 0));
	OK(vrig_map(&v, 0, TOP - 2 * PAGE + 1, TOP, 0x5000, RW));
	ck_assert_uint_eq(rig_where(&v.rig, 1, TOP), 0x6000);
	ck_assert_uint_eq(rig_where(&v.rig, 1, TOP - PAGE), 0x5000);
	FAILS(RANGE, vrig_unmap(&v, 0, TOP - PAGE + 1, TOP));
	OK(vrig_unmap(&v, 0, TOP - 2 * PAGE + 1, TOP));
	ck_assert(!conf_may(1, TOP, DMA_READ));
}
END_TEST

START_TEST(addresses_go_down_from_the_top)
{
	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 1; n <= 600; n++)
		OK(vrig_map(&v, 1, TOP - n * PAGE + 1, TOP - (n - 1) * PAGE,
			    n * PAGE, RW));
	for (unsigned n = 1; n <= 600; n++)
		ck_assert_uint_eq(rig_where(&v.rig, 1, TOP - n * PAGE + 1),
				  n * PAGE);
	for (unsigned n = 600; n > 0; n--)
		OK(vrig_unmap(&v, 1, TOP - n * PAGE + 1, TOP - (n - 1) * PAGE));
}
END_TEST

/* A short reply leaves the caller's copy of the status as it was: zero, OK. */
START_TEST(no_request_that_failed_is_completed_short)
{
	static const uint8_t sizes[] = {20, 20, 36, 28, 72};
	uint8_t b[72], reply[516];

	for (unsigned type = 1; type <= 5; type++) {
		uint32_t room = type == 5 ? 516 : 4;

		memset(b, 0xff, sizeof(b));
		b[0] = (uint8_t)type;
		ck_assert_uint_eq(
			vrig_send(&v, b, sizes[type - 1], reply, room), room);
		ck_assert_uint_ne(reply[room - 4], IOMMU_OK);
	}
}
END_TEST

START_TEST(one_kick_drains_the_ring)
{
	iova_t reply[128];
	uint32_t head, len;
	uint8_t b[36];

	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 128; n++) {
		vrig_put_map(b, 1, n * PAGE, n * PAGE + PAGE - 1, n * PAGE, RW);
		vrig_add(&v, b, 36, 4, &reply[n]);
	}
	vrig_ring(&v);
	for (unsigned n = 0; n < 128; n++) {
		ck_assert(vqd_get_used(&v.req, &head, &len));
		ck_assert_uint_eq(len, 4);
		ck_assert(conf_can(1, n));
	}
	ck_assert(!vqd_get_used(&v.req, &head, &len));
}
END_TEST

/* 256 in flight with indirect descriptors: the flush queue of one CPU. */
START_TEST(whole_flush_queue_is_one_kick)
{
	uint32_t head, len;
	uint8_t b[36];

	conf_restart(VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 256; n++)
		OK(MAP(1, n, 1));
	for (unsigned n = 0; n < 256; n++) {
		struct vqd_buf bufs[2];

		vrig_put_unmap(b, 1, n * PAGE, n * PAGE + PAGE - 1);
		bufs[0] = (struct vqd_buf){vqd_put(&v.req, b, 28), 28, false};
		bufs[1] = (struct vqd_buf){vqd_alloc(&v.req, 4), 4, true};
		vqd_add_indirect(&v.req, bufs, 2);
	}
	vrig_ring(&v);
	for (unsigned n = 0; n < 256; n++) {
		ck_assert(vqd_get_used(&v.req, &head, &len));
		ck_assert_uint_eq(len, 4);
		ck_assert(!conf_can(1, n));
	}
}
END_TEST

START_TEST(requestq_without_interrupts_is_not_signalled)
{
	unsigned before = v.transport.queue_irqs[0];

	vqd_interrupts_off(&v.req);
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert_uint_eq(v.transport.queue_irqs[0], before);
}
END_TEST

START_TEST(event_queue_is_never_kicked)
{
	uint8_t r[24];

	vrig_loop_start(&v);
	vrig_add_events(&v, 64, 24);
	for (unsigned n = 0; n < 64; n++) {
		ck_assert(!conf_can(1, n));
		ck_assert_uint_eq(vrig_event(&v, r), 24);
		ck_assert_uint_eq(le64_load(r + 16), n * PAGE);
	}
}
END_TEST

START_TEST(attach_again_replays_mappings_into_a_new_domain)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 3));
	/* The group moves to VFIO's domain and comes back. */
	OK(vrig_attach(&v, 2, 1, 0));
	ck_assert(!conf_can(1, 5));
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(!conf_can(1, 5));
	OK(MAP(1, 5, 3));
	ck_assert(conf_can(1, 7));
}
END_TEST

START_TEST(device_that_is_removed_is_detached_with_ok)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_detach(&v, 1, 1));
	OK(UNMAP(1, 5, 1));
	OK(vrig_detach(&v, 1, 2));
}
END_TEST

START_TEST(unmap_with_holes)
{
	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < 64; n += 2)
		OK(MAP(1, n, 1));
	OK(UNMAP(1, 0, 64));
	for (unsigned n = 0; n < 64; n++)
		ck_assert(!conf_can(1, n));
	OK(UNMAP(1, 0, 64));
}
END_TEST

/* iommu.passthrough=1 with a device that has no BYPASS_CONFIG. */
START_TEST(identity_map_of_the_whole_aperture)
{
	conf_restart(VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_BYPASS_CONFIG));
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, RIG_MSI_FIRST - 1, 0, RW));
	OK(vrig_map(&v, 1, RIG_MSI_LAST + 1, TOP, RIG_MSI_LAST + 1, RW));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), 0x5000);
	ck_assert_uint_eq(rig_where(&v.rig, 1, RIG_RAM1_AT), RIG_RAM1_AT);
	ck_assert(!conf_may(1, RIG_MSI_FIRST, DMA_WRITE));
	ck_assert(!conf_may(1, GIB(100), DMA_READ));
}
END_TEST

START_TEST(passthrough_is_one_attach)
{
	OK(vrig_attach(&v, 1, 1, 1));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), 0x5000);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, topmost_page_of_a_64_bit_space);
	tcase_add_test(t, addresses_go_down_from_the_top);
	tcase_add_test(t, no_request_that_failed_is_completed_short);
	tcase_add_test(t, one_kick_drains_the_ring);
	tcase_add_test(t, whole_flush_queue_is_one_kick);
	tcase_add_test(t, requestq_without_interrupts_is_not_signalled);
	tcase_add_test(t, event_queue_is_never_kicked);
	tcase_add_test(t, attach_again_replays_mappings_into_a_new_domain);
	tcase_add_test(t, device_that_is_removed_is_detached_with_ok);
	tcase_add_test(t, unmap_with_holes);
	tcase_add_test(t, identity_map_of_the_whole_aperture);
	tcase_add_test(t, passthrough_is_one_attach);
}

int main(void)
{
	return conf_main("iommu/conformance/linux", add);
}

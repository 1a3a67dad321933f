/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Features and configuration space.   [virtio 1.2, 5.13.3, 5.13.4]
 */
#include <string.h>

#include "iommu/tests/conformance/conf.h"

#define TRANSPORT                                                        \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_INDIRECT_DESC) | \
	 BIT_ULL(VIRTIO_F_EVENT_IDX))

/* What the driver reads, as a transport shows it. */
static uint64_t offered(void)
{
	return virtio_device_features(v.d, 0) |
	       (uint64_t)virtio_device_features(v.d, 1) << 32;
}

START_TEST(d1_map_unmap_is_offered)
{
	ck_assert(offered() & BIT_ULL(VIOMMU_F_MAP_UNMAP));
}
END_TEST

START_TEST(d2_old_bypass_bit_is_not_offered)
{
	ck_assert(!(offered() & BIT_ULL(3)));
	conf_anew(IOMMU_TOPOLOGY_V2, NULL, NULL);
	ck_assert(!(offered() & BIT_ULL(3)));
	conf_anew(IOMMU_TOPOLOGY_NATIVE, NULL, NULL);
	ck_assert(!(offered() & BIT_ULL(3)));
}
END_TEST

START_TEST(d3_page_size_mask_has_the_granule_and_all_above)
{
	ck_assert_uint_eq(vrig_config(&v, 0, 8), ~UINT64_C(0xfff));
}
END_TEST

START_TEST(d63_version_1_is_offered)
{
	ck_assert(offered() & BIT_ULL(VIRTIO_F_VERSION_1));
}
END_TEST

START_TEST(d64_config_is_readable_before_any_negotiation)
{
	static const uint8_t want[48] = {
		0,    0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    0,
		0,    0,    0,	  0,	0,    0,    0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0,    0,    0,	  0,	0xff, 0xff,
		0xff, 0xff, 0,	  2,	0,    0,    1};
	struct iommu_config c = rig_config();

	c.bypass = true;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	ck_assert_uint_eq(v.d->status, 0);
	ck_assert_uint_eq(v.d->config_len, 48);
	for (unsigned n = 0; n < sizeof(want); n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), want[n]);
	/* A 2020 guest finds no topology. */
	ck_assert_uint_eq(vrig_config(&v, 40, 4), 0);
	ck_assert_uint_eq(vrig_config(&v, 44, 4), 0);
}
END_TEST

START_TEST(d64_config_tells_the_ranges_of_the_device)
{
	struct iommu_config c = rig_config();

	c.page_size_mask = 0xe000;
	c.input_first = 0x10000;
	c.input_last = 0xffffffffff;
	c.domain_first = 7;
	c.domain_last = 0x80000001;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	ck_assert_uint_eq(vrig_config(&v, 0, 8), 0xe000);
	ck_assert_uint_eq(vrig_config(&v, 8, 8), 0x10000);
	ck_assert_uint_eq(vrig_config(&v, 16, 8), 0xffffffffff);
	ck_assert_uint_eq(vrig_config(&v, 24, 4), 7);
	ck_assert_uint_eq(vrig_config(&v, 28, 4), 0x80000001);
}
END_TEST

START_TEST(d69_g20_halves_of_64_bit_fields_and_any_other_width)
{
	ck_assert_uint_eq(vrig_config(&v, 0, 4), 0xfffff000);
	ck_assert_uint_eq(vrig_config(&v, 4, 4), 0xffffffff);
	ck_assert_uint_eq(vrig_config(&v, 16, 4), 0xffffffff);
	ck_assert_uint_eq(vrig_config(&v, 20, 4), 0xffffffff);
	ck_assert_uint_eq(vrig_config(&v, 0, 8), 0xfffffffffffff000);
	ck_assert_uint_eq(vrig_config(&v, 32, 2), 512);
	ck_assert_uint_eq(vrig_config(&v, 33, 1), 2);
	/* Past the end. */
	ck_assert_uint_eq(vrig_config(&v, 48, 4), 0);
	ck_assert_uint_eq(vrig_config(&v, ~UINT64_C(0), 8), 0);
}
END_TEST

START_TEST(d71_ratified_form_offers_what_the_text_defines)
{
	ck_assert_uint_eq(offered(), TRANSPORT | 0x77);
}
END_TEST

START_TEST(d71_departure_v2_gives_bit_6_its_meaning_of_2020)
{
	conf_anew(IOMMU_TOPOLOGY_V2, NULL, NULL);
	ck_assert_uint_eq(offered(), TRANSPORT | 0x77);
	ck_assert_uint_eq(vrig_config(&v, 36, 4), 64);
}
END_TEST

START_TEST(d71_departure_native_offers_bit_23)
{
	conf_anew(IOMMU_TOPOLOGY_NATIVE, NULL, NULL);
	ck_assert_uint_eq(offered(), TRANSPORT | 0x77 | BIT_ULL(23));
}
END_TEST

START_TEST(d72_constant_values_never_move_the_generation)
{
	uint8_t before[112];

	conf_anew(IOMMU_TOPOLOGY_NATIVE, NULL, NULL);
	memcpy(before, v.d->config, sizeof(before));
	for (unsigned n = 0; n < v.d->config_len; n++)
		if (n != 36)
			vrig_config_write(&v, n, 1, 0x55);
	for (unsigned n = 0; n < 3; n++) {
		vrig_up(&v, VRIG_FEATURES);
		vrig_reset(&v);
	}
	ck_assert_mem_eq(v.d->config, before, sizeof(before));
	ck_assert_uint_eq(v.d->generation, 0);
}
END_TEST

START_TEST(d72_g19_bypass_that_a_system_reset_restores_moves_the_generation)
{
	vrig_config_write(&v, 36, 1, 1);
	pthread_mutex_lock(&v.d->lock);
	viommu_power_on_reset(v.d);
	ck_assert_uint_eq(v.d->generation, 1);
	viommu_power_on_reset(v.d);
	ck_assert_uint_eq(v.d->generation, 1);
	pthread_mutex_unlock(&v.d->lock);
}
END_TEST

START_TEST(d72_change_at_run_time_interrupts)
{
	unsigned before = v.transport.config_irqs;

	/* What a changed topology would do. */
	pthread_mutex_lock(&v.d->lock);
	virtio_config_changed(v.d);
	ck_assert_uint_eq(v.transport.config_irqs, before + 1);
	ck_assert_uint_eq(v.d->generation, 1);
	pthread_mutex_unlock(&v.d->lock);
}
END_TEST

START_TEST(g1_driver_that_accepts_no_range_gets_the_same_device)
{
	conf_restart(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIOMMU_F_MAP_UNMAP));
	OK(vrig_attach(&v, UINT32_MAX, 1, 0));
	OK(MAP(UINT32_MAX, 5, 1));
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(g2a_bypass_is_written_only_by_who_accepted_the_feature)
{
	conf_restart(VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_BYPASS_CONFIG));
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	ck_assert(!conf_can(1, 5));
	/* Nor before anything is accepted, or while it is only written. */
	vrig_reset(&v);
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	pthread_mutex_lock(&v.d->lock);
	virtio_set_status(v.d, VIRTIO_STATUS_ACKNOWLEDGE);
	virtio_set_status(v.d,
			  VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	virtio_set_driver_features(v.d, 0, BIT(VIOMMU_F_BYPASS_CONFIG));
	pthread_mutex_unlock(&v.d->lock);
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	conf_restart(VRIG_FEATURES);
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 1);
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(g2b_other_fields_cannot_be_written)
{
	uint8_t before[48];

	memcpy(before, v.d->config, sizeof(before));
	for (unsigned n = 0; n < 48; n++)
		if (n != 36)
			vrig_config_write(&v, n, 1, ~before[n] & 0xff);
	for (unsigned n = 0; n < 32; n += 8)
		vrig_config_write(&v, n, 8, 0x5555555555555555);
	vrig_config_write(&v, 32, 4, 0);
	for (unsigned n = 37; n < 48; n++)
		vrig_config_write(&v, n, 1, 1);
	ck_assert_mem_eq(v.d->config, before, sizeof(before));
}
END_TEST

START_TEST(g18_fields_are_there_whatever_was_accepted)
{
	conf_restart(BIT_ULL(VIRTIO_F_VERSION_1));
	ck_assert_uint_eq(vrig_config(&v, 16, 8), UINT64_MAX);
	ck_assert_uint_eq(vrig_config(&v, 28, 4), UINT32_MAX);
	ck_assert_uint_eq(vrig_config(&v, 32, 4), 512);
}
END_TEST

static bool negotiates(uint64_t features)
{
	bool ok;

	pthread_mutex_lock(&v.d->lock);
	ok = vqd_negotiate(v.d, features);
	pthread_mutex_unlock(&v.d->lock);
	return ok;
}

START_TEST(g21_bits_that_are_not_offered_are_refused)
{
	for (unsigned bit = 0; bit < 64; bit++)
		ck_assert_int_eq(negotiates(BIT_ULL(VIRTIO_F_VERSION_1) |
					    BIT_ULL(bit)),
				 (offered() & BIT_ULL(bit)) != 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d1_map_unmap_is_offered);
	tcase_add_test(t, d2_old_bypass_bit_is_not_offered);
	tcase_add_test(t, d3_page_size_mask_has_the_granule_and_all_above);
	tcase_add_test(t, d63_version_1_is_offered);
	tcase_add_test(t, d64_config_is_readable_before_any_negotiation);
	tcase_add_test(t, d64_config_tells_the_ranges_of_the_device);
	tcase_add_test(t, d69_g20_halves_of_64_bit_fields_and_any_other_width);
	tcase_add_test(t, d71_ratified_form_offers_what_the_text_defines);
	tcase_add_test(t, d71_departure_v2_gives_bit_6_its_meaning_of_2020);
	tcase_add_test(t, d71_departure_native_offers_bit_23);
	tcase_add_test(t, d72_constant_values_never_move_the_generation);
	tcase_add_test(
		t,
		d72_g19_bypass_that_a_system_reset_restores_moves_the_generation);
	tcase_add_test(t, d72_change_at_run_time_interrupts);
	tcase_add_test(t, g1_driver_that_accepts_no_range_gets_the_same_device);
	tcase_add_test(t,
		       g2a_bypass_is_written_only_by_who_accepted_the_feature);
	tcase_add_test(t, g2b_other_fields_cannot_be_written);
	tcase_add_test(t, g18_fields_are_there_whatever_was_accepted);
	tcase_add_test(t, g21_bits_that_are_not_offered_are_refused);
}

int main(void)
{
	return conf_main("iommu/conformance/config", add);
}

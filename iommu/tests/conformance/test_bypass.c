/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What endpoints without a domain get, the field `bypass`, bypass domains.
 * [virtio 1.2, 5.13.4, 5.13.6]
 */
#include "iommu/tests/conformance/conf.h"

static const enum iommu_topology_form forms[] = {
	IOMMU_TOPOLOGY_NONE, IOMMU_TOPOLOGY_V2, IOMMU_TOPOLOGY_NATIVE};

static uint64_t shown(void)
{
	return vrig_config(&v, 36, 1);
}

START_TEST(d4_bypass_starts_as_configured)
{
	struct iommu_config c = rig_config();

	ck_assert_uint_eq(shown(), 0);
	c.bypass = true;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	ck_assert_uint_eq(shown(), 1);
}
END_TEST

START_TEST(d4_bypass_from_power_on_in_each_form)
{
	struct iommu_config c = rig_config();

	c.bypass = true;
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		conf_anew(forms[n], &c, NULL);
		ck_assert(conf_can(1, 5));
		vrig_up(&v, VRIG_FEATURES);
		ck_assert(conf_can(1, 5));
		OK(vrig_attach(&v, 1, 1, 0));
		ck_assert(!conf_can(1, 5));
		ck_assert(conf_can(2, 5));
	}
}
END_TEST

START_TEST(d5_bypass_survives_device_reset)
{
	vrig_config_write(&v, 36, 1, 1);
	vrig_reset(&v);
	ck_assert_uint_eq(shown(), 1);
	ck_assert(conf_can(1, 5));
	vrig_up(&v, VRIG_FEATURES);
	vrig_config_write(&v, 36, 1, 0);
	vrig_reset(&v);
	ck_assert_uint_eq(shown(), 0);
	ck_assert(!conf_can(1, 5));
}
END_TEST

static void power_on_reset(void)
{
	pthread_mutex_lock(&v.d->lock);
	viommu_power_on_reset(v.d);
	pthread_mutex_unlock(&v.d->lock);
}

START_TEST(d6_bypass_is_restored_by_system_reset)
{
	struct iommu_config c = rig_config();

	vrig_config_write(&v, 36, 1, 1);
	OK(vrig_attach(&v, 1, 1, 0));
	power_on_reset();
	ck_assert_uint_eq(shown(), 0);
	ck_assert_uint_eq(v.d->status, 0);
	ck_assert(!conf_can(1, 5));
	ck_assert(!conf_can(2, 5));

	c.bypass = true;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	vrig_config_write(&v, 36, 1, 0);
	power_on_reset();
	ck_assert_uint_eq(shown(), 1);
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(d7_g2c_g2d_bypass_shows_only_0_and_1)
{
	for (unsigned val = 2; val < 256; val++) {
		vrig_config_write(&v, 36, 1, val);
		ck_assert_uint_eq(shown(), 0);
	}
	ck_assert(!conf_can(1, 5));
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(shown(), 1);
	ck_assert(conf_can(1, 5));
	vrig_config_write(&v, 36, 1, 0xff);
	ck_assert_uint_eq(shown(), 1);
	/* As part of a wider write. */
	vrig_config_write(&v, 32, 8, 0);
	ck_assert_uint_eq(shown(), 0);
	ck_assert_uint_eq(vrig_config(&v, 32, 4), 512);
	ck_assert(!conf_can(1, 5));
}
END_TEST

START_TEST(d7_departure_v2_has_no_bypass_field)
{
	conf_anew(IOMMU_TOPOLOGY_V2, NULL, NULL);
	vrig_up(&v, VRIG_FEATURES);
	vrig_config_write(&v, 36, 1, 1);
	vrig_config_write(&v, 36, 4, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 4), 64);
	ck_assert(!iommu_bypass(v.rig.i));
}
END_TEST

START_TEST(d9_bypass_holds_without_the_feature_accepted)
{
	struct iommu_config c = rig_config();

	c.bypass = true;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_BYPASS_CONFIG));
	ck_assert(conf_can(1, 5));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 5 * PAGE), 5 * PAGE);
}
END_TEST

START_TEST(d9_attached_endpoint_does_not_bypass)
{
	vrig_config_write(&v, 36, 1, 1);
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(!conf_can(1, 5));
	OK(MAP(1, 5, 1));
	ck_assert(conf_can(1, 5));
	ck_assert(!conf_can(1, 6));
	OK(vrig_detach(&v, 1, 1));
	ck_assert(conf_can(1, 6));
}
END_TEST

START_TEST(d9_endpoint_of_a_bypass_domain_is_identity_in_each_form)
{
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		conf_anew(forms[n], NULL, NULL);
		vrig_up(&v, VRIG_FEATURES);
		OK(vrig_attach(&v, 9, 2, 1));
		ck_assert_uint_eq(rig_where(&v.rig, 2, 5 * PAGE), 5 * PAGE);
		ck_assert(conf_may(2, RIG_RAM1_AT, DMA_WRITE));
		/* Not beyond memory. */
		ck_assert(!conf_may(2, RIG_RAM0_SIZE, DMA_READ));
		OK(vrig_detach(&v, 9, 2));
		ck_assert(!conf_can(2, 5));
	}
}
END_TEST

START_TEST(d14_unattached_endpoint_has_no_access)
{
	for (unsigned ep = 1; ep <= RIG_ENDPOINTS; ep++) {
		ck_assert(!conf_can(ep, 0));
		ck_assert(!conf_may(ep, 5 * PAGE, DMA_WRITE));
	}
	vrig_config_write(&v, 36, 1, 1);
	ck_assert(conf_can(3, 0));
	vrig_config_write(&v, 36, 1, 0);
	ck_assert(!conf_can(3, 0));
}
END_TEST

START_TEST(d19_g8c_flag_that_contradicts_the_domain_is_invalid)
{
	OK(vrig_attach(&v, 1, 1, 1));
	FAILS(INVAL, vrig_attach(&v, 1, 2, 0));
	ck_assert(!conf_can(2, 5));
	OK(vrig_attach(&v, 1, 2, 1));
	OK(vrig_attach(&v, 2, 3, 0));
	OK(MAP(2, 5, 1));
	/* The endpoint that is refused stays where it is. */
	FAILS(INVAL, vrig_attach(&v, 2, 1, 1));
	FAILS(INVAL, vrig_attach(&v, 1, 3, 0));
	ck_assert(conf_can(1, 7));
	ck_assert(conf_can(3, 5));
	/* Even the one endpoint of the domain itself. */
	FAILS(INVAL, vrig_attach(&v, 2, 3, 1));
}
END_TEST

START_TEST(d33_g10b_map_on_a_bypass_domain_is_invalid)
{
	OK(vrig_attach(&v, 1, 1, 1));
	FAILS(INVAL, MAP(1, 5, 1));
	ck_assert(conf_can(1, 6));
}
END_TEST

START_TEST(d40_g11d_unmap_on_a_bypass_domain_is_invalid)
{
	OK(vrig_attach(&v, 1, 1, 1));
	FAILS(INVAL, UNMAP(1, 5, 1));
	FAILS(INVAL, vrig_unmap(&v, 1, 0, TOP));
	ck_assert(conf_can(1, 5));
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d4_bypass_starts_as_configured);
	tcase_add_test(t, d4_bypass_from_power_on_in_each_form);
	tcase_add_test(t, d5_bypass_survives_device_reset);
	tcase_add_test(t, d6_bypass_is_restored_by_system_reset);
	tcase_add_test(t, d7_g2c_g2d_bypass_shows_only_0_and_1);
	tcase_add_test(t, d7_departure_v2_has_no_bypass_field);
	tcase_add_test(t, d9_bypass_holds_without_the_feature_accepted);
	tcase_add_test(t, d9_attached_endpoint_does_not_bypass);
	tcase_add_test(t,
		       d9_endpoint_of_a_bypass_domain_is_identity_in_each_form);
	tcase_add_test(t, d14_unattached_endpoint_has_no_access);
	tcase_add_test(t, d19_g8c_flag_that_contradicts_the_domain_is_invalid);
	tcase_add_test(t, d33_g10b_map_on_a_bypass_domain_is_invalid);
	tcase_add_test(t, d40_g11d_unmap_on_a_bypass_domain_is_invalid);
}

int main(void)
{
	return conf_main("iommu/conformance/bypass", add);
}

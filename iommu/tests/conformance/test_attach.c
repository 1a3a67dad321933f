/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ATTACH and DETACH.   [virtio 1.2, 5.13.6.3, 5.13.6.4]
 */
#include <string.h>

#include "iommu/tests/conformance/conf.h"

START_TEST(d15_g8a_attach_with_reserved_bytes_is_invalid)
{
	uint8_t b[20];

	for (unsigned n = 16; n < 20; n++) {
		vrig_put_attach(b, 1, 1, 0);
		b[n] = 1;
		FAILS(INVAL, conf_send(b, 20));
	}
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d16_attach_with_an_unknown_flag_is_invalid)
{
	for (unsigned bit = 1; bit < 32; bit++) {
		FAILS(INVAL, vrig_attach(&v, 1, 1, BIT(bit)));
		FAILS(INVAL, vrig_attach(&v, 1, 1, BIT(bit) | 1));
	}
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d17_attach_of_no_endpoint_is_noent)
{
	FAILS(NOENT, vrig_attach(&v, 1, 0, 0));
	FAILS(NOENT, vrig_attach(&v, 1, RIG_ENDPOINTS + 1, 0));
	FAILS(NOENT, vrig_attach(&v, 1, 0x80000001, 0));
	FAILS(NOENT, vrig_attach(&v, 1, UINT32_MAX, 1));
	/* No domain came of it. */
	FAILS(NOENT, MAP(1, 5, 1));
}
END_TEST

START_TEST(d18_g8b_endpoints_share_a_domain)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_attach(&v, 1, 3, 0));
	for (unsigned ep = 1; ep <= 3; ep++)
		ck_assert(conf_can(ep, 5));
	OK(UNMAP(1, 5, 1));
	for (unsigned ep = 1; ep <= 3; ep++)
		ck_assert(!conf_can(ep, 5));
}
END_TEST

START_TEST(d20_attach_elsewhere_detaches_first)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_attach(&v, 2, 1, 0));
	ck_assert(!conf_can(1, 5));
	/* The old domain had nobody else: it is gone. */
	FAILS(NOENT, UNMAP(1, 5, 1));
	OK(MAP(2, 6, 1));
	ck_assert(conf_can(1, 6));
	OK(vrig_attach(&v, 3, 1, 1));
	ck_assert(conf_can(1, 9));
}
END_TEST

START_TEST(d20_attach_elsewhere_leaves_the_others_alone)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_attach(&v, 2, 1, 0));
	ck_assert(!conf_can(1, 5));
	ck_assert(conf_can(2, 5));
	OK(UNMAP(1, 5, 1));
}
END_TEST

START_TEST(d20_attached_endpoint_for_which_no_domain_can_be_made_stays)
{
	struct iommu_config c = rig_config();

	c.max_domains = 1;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 1));
	FAILS(UNSUPP, vrig_attach(&v, 2, 1, 0));
	FAILS(UNSUPP, vrig_attach(&v, 2, 1, 1));
	/* One that is nowhere lacks memory alone. */
	FAILS(NOMEM, vrig_attach(&v, 2, 3, 0));
	ck_assert(conf_can(1, 5));
	ck_assert(!conf_can(1, 6));
	OK(MAP(1, 6, 1));
	ck_assert(conf_can(1, 6));
	FAILS(NOENT, MAP(2, 7, 1));
	OK(vrig_detach(&v, 1, 1));
	OK(vrig_detach(&v, 1, 2));
	OK(vrig_attach(&v, 2, 1, 0));
}
END_TEST

START_TEST(reattach_to_the_same_domain_keeps_its_mappings)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(d22_attach_that_is_not_rejected_attaches)
{
	static const uint32_t domains[] = {0, 1, 0x7fffffff, 0x80000000,
					   UINT32_MAX};

	for (unsigned n = 0; n < ARRAY_SIZE(domains); n++) {
		OK(vrig_attach(&v, domains[n], 1, 0));
		OK(MAP(domains[n], 5, 1));
		ck_assert(conf_can(1, 5));
		OK(vrig_detach(&v, domains[n], 1));
	}
}
END_TEST

START_TEST(d23_attach_makes_the_domain)
{
	FAILS(NOENT, MAP(7, 5, 1));
	OK(vrig_attach(&v, 7, 1, 0));
	OK(MAP(7, 5, 1));
}
END_TEST

START_TEST(g7b_domain_outside_the_range_is_refused)
{
	struct iommu_config c = rig_config();

	c.domain_first = 5;
	c.domain_last = 6;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	FAILS(RANGE, vrig_attach(&v, 4, 1, 0));
	FAILS(RANGE, vrig_attach(&v, 7, 1, 1));
	FAILS(NOENT, vrig_detach(&v, 4, 1));
	FAILS(NOENT, MAP(7, 5, 1));
	FAILS(NOENT, UNMAP(7, 5, 1));
	OK(vrig_attach(&v, 5, 1, 0));
	OK(vrig_attach(&v, 6, 1, 0));
}
END_TEST

START_TEST(d24_g9_detach_ignores_reserved_bytes)
{
	uint8_t b[20];

	OK(vrig_attach(&v, 1, 1, 0));
	vrig_put_detach(b, 1, 1);
	memset(b + 12, 0xff, 8);
	OK(conf_send(b, 20));
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d25_detach_of_no_endpoint_is_noent)
{
	OK(vrig_attach(&v, 1, 1, 0));
	FAILS(NOENT, vrig_detach(&v, 1, 0));
	FAILS(NOENT, vrig_detach(&v, 1, 99));
	FAILS(NOENT, vrig_detach(&v, 2, UINT32_MAX));
}
END_TEST

START_TEST(d26_detach_from_where_it_is_not_is_invalid)
{
	/* No such domain. */
	FAILS(INVAL, vrig_detach(&v, 1, 1));
	/* A domain, but not its own. */
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 2, 2, 0));
	FAILS(INVAL, vrig_detach(&v, 2, 1));
	OK(MAP(1, 5, 1));
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(d27_detached_endpoint_reaches_nothing_of_the_domain)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 4));
	OK(vrig_detach(&v, 1, 1));
	for (unsigned page = 5; page < 9; page++) {
		ck_assert(!conf_can(1, page));
		ck_assert(conf_can(2, page));
	}
}
END_TEST

START_TEST(d28_last_detach_ends_the_domain)
{
	struct iommu_stats s;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_detach(&v, 1, 1));
	OK(MAP(1, 6, 1));
	OK(vrig_detach(&v, 1, 2));
	FAILS(NOENT, MAP(1, 7, 1));
	iommu_get_stats(v.rig.i, &s);
	ck_assert_uint_eq(s.domains, 0);
	ck_assert_uint_eq(s.mappings, 0);
	ck_assert_uint_eq(s.table_bytes, 0);
	/* The id may be used again, for another kind. */
	OK(vrig_attach(&v, 1, 1, 1));
	OK(vrig_detach(&v, 1, 1));
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(!conf_can(1, 5));
}
END_TEST

START_TEST(limit_of_domains_is_nomem)
{
	struct iommu_config c = rig_config();

	c.max_domains = 2;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 2, 2, 0));
	FAILS(NOMEM, vrig_attach(&v, 3, 3, 0));
	/* One goes as the other comes. */
	OK(vrig_attach(&v, 3, 2, 0));
	OK(vrig_attach(&v, 3, 3, 0));
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d15_g8a_attach_with_reserved_bytes_is_invalid);
	tcase_add_test(t, d16_attach_with_an_unknown_flag_is_invalid);
	tcase_add_test(t, d17_attach_of_no_endpoint_is_noent);
	tcase_add_test(t, d18_g8b_endpoints_share_a_domain);
	tcase_add_test(t, d20_attach_elsewhere_detaches_first);
	tcase_add_test(t, d20_attach_elsewhere_leaves_the_others_alone);
	tcase_add_test(
		t, d20_attached_endpoint_for_which_no_domain_can_be_made_stays);
	tcase_add_test(t, reattach_to_the_same_domain_keeps_its_mappings);
	tcase_add_test(t, d22_attach_that_is_not_rejected_attaches);
	tcase_add_test(t, d23_attach_makes_the_domain);
	tcase_add_test(t, g7b_domain_outside_the_range_is_refused);
	tcase_add_test(t, d24_g9_detach_ignores_reserved_bytes);
	tcase_add_test(t, d25_detach_of_no_endpoint_is_noent);
	tcase_add_test(t, d26_detach_from_where_it_is_not_is_invalid);
	tcase_add_test(t, d27_detached_endpoint_reaches_nothing_of_the_domain);
	tcase_add_test(t, d28_last_detach_ends_the_domain);
	tcase_add_test(t, limit_of_domains_is_nomem);
}

int main(void)
{
	return conf_main("iommu/conformance/attach", add);
}

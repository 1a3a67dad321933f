/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * PROBE and its properties; reserved regions and what they keep out.
 * [virtio 1.2, 5.13.6.7, 5.13.6.8]
 */
#include <errno.h>
#include <string.h>

#include "core/err.h"
#include "iommu/tests/conformance/conf.h"

#define TYPE_MASK 0x0fff

struct found {
	unsigned n, msi;
	struct iommu_resv_region at[VIOMMU_RESV_MAX + 1];
};

/* A careful driver's parser; asserts the form of every property. */
static struct found parse(const uint8_t properties[VIOMMU_PROBE_SIZE])
{
	struct found f = {0};
	unsigned off = 0;

	while (off + 4 <= VIOMMU_PROBE_SIZE) {
		const uint8_t *p = properties + off;
		unsigned type = le16_load(p);

		if ((type & TYPE_MASK) == 0)
			break;
		ck_assert_uint_eq(type, 1);
		ck_assert_uint_eq(le16_load(p + 2), 20);
		ck_assert_uint_eq(p[5] | p[6] | p[7], 0);
		f.msi += p[4] == IOMMU_RESV_MSI;
		f.at[f.n++] = (struct iommu_resv_region){p[4], le64_load(p + 8),
							 le64_load(p + 16)};
		off += 24;
	}
	for (; off < VIOMMU_PROBE_SIZE; off++)
		ck_assert_uint_eq(properties[off], 0);
	return f;
}

static struct found probe(uint32_t ep)
{
	uint8_t properties[VIOMMU_PROBE_SIZE];

	OK(vrig_probe(&v, ep, properties));
	return parse(properties);
}

START_TEST(d44_g12b_probe_ignores_reserved_bytes)
{
	uint8_t b[72], reply[516];

	vrig_put_probe(b, 1);
	memset(b + 8, 0xff, 64);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 516), 516);
	ck_assert_uint_eq(reply[512], IOMMU_OK);
	ck_assert_uint_eq(parse(reply).n, 1);
}
END_TEST

START_TEST(d45_probe_of_no_endpoint_is_noent)
{
	static const uint32_t ids[] = {0, RIG_ENDPOINTS + 1, UINT32_MAX};
	uint8_t properties[VIOMMU_PROBE_SIZE];

	for (unsigned n = 0; n < ARRAY_SIZE(ids); n++) {
		FAILS(NOENT, vrig_probe(&v, ids[n], properties));
		ck_assert_uint_eq(parse(properties).n, 0);
	}
}
END_TEST

START_TEST(d47_d48_d49_d51_d52_g12e_g13b_g13c_bytes_of_the_properties)
{
	static const uint8_t msi[24] = {1,    0,    20,	  0,	1, 0, 0, 0,
					0,    0,    0xe0, 0xfe, 0, 0, 0, 0,
					0xff, 0xff, 0xef, 0xfe, 0, 0, 0, 0};
	uint8_t b[72], reply[516];

	vrig_put_probe(b, 2);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 516), 516);
	ck_assert_mem_eq(reply, msi, 24);
	for (unsigned n = 24; n < 516; n++)
		ck_assert_uint_eq(reply[n], 0);
}
END_TEST

START_TEST(d50_g12a_buffer_that_is_too_small_is_invalid)
{
	uint8_t b[72], reply[516];

	vrig_put_probe(b, 1);
	for (uint32_t room = 4; room < 516; room += 7) {
		ck_assert_uint_eq(vrig_send(&v, b, 72, reply, room), room);
		for (unsigned n = 0; n < room - 4; n++)
			ck_assert_uint_eq(reply[n], 0);
		ck_assert_uint_eq(reply[room - 4], IOMMU_INVAL);
	}
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 515), 515);
	ck_assert_uint_eq(reply[511], IOMMU_INVAL);
}
END_TEST

START_TEST(g4_endpoint_may_be_attached_without_a_probe)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
	/* And probed when it is attached. */
	ck_assert_uint_eq(probe(1).n, 1);
}
END_TEST

/*
 * Regions.
 */

static const struct iommu_resv_region in_memory[] = {
	{IOMMU_RESV_RESERVED, 0x10000, 0x1ffff},
	{IOMMU_RESV_MSI, RIG_MSI_FIRST, RIG_MSI_LAST},
	{IOMMU_RESV_RESERVED, 0x400000, 0x400000},
};

/* Endpoint 2 has two more, endpoint 3 an MSI region of its own. */
static const struct iommu_resv_region own2[] = {
	{IOMMU_RESV_RESERVED, 0x30000, 0x30fff},
	{IOMMU_RESV_RESERVED, TOP - 0xffff, TOP},
};
static const struct iommu_resv_region own3[] = {
	{IOMMU_RESV_MSI, 0x8000000, 0x80fffff},
};

static void reserve(struct rig *r)
{
	ck_assert_int_eq(iommu_endpoint_reserve(r->ep[2], own2, 2, NULL), 0);
	ck_assert_int_eq(iommu_endpoint_reserve(r->ep[3], own3, 1, NULL), 0);
}

static void with_regions(bool bypass)
{
	struct iommu_config c = rig_config();

	c.resv = in_memory;
	c.nresv = ARRAY_SIZE(in_memory);
	c.bypass = bypass;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, reserve);
	vrig_up(&v, VRIG_FEATURES);
}

static void expect(const struct found *f, unsigned n,
		   const struct iommu_resv_region *r)
{
	ck_assert_int_eq(f->at[n].kind, r->kind);
	ck_assert_uint_eq(f->at[n].first, r->first);
	ck_assert_uint_eq(f->at[n].last, r->last);
}

START_TEST(d53_d54_each_endpoint_reports_its_regions)
{
	struct found f;

	with_regions(false);
	f = probe(1);
	ck_assert_uint_eq(f.n, 3);
	for (unsigned n = 0; n < 3; n++)
		expect(&f, n, &in_memory[n]);
	f = probe(2);
	ck_assert_uint_eq(f.n, 5);
	expect(&f, 3, &own2[0]);
	expect(&f, 4, &own2[1]);
	ck_assert_uint_eq(f.msi, 1);
	f = probe(3);
	ck_assert_uint_eq(f.n, 3);
	ck_assert_uint_eq(f.msi, 1);
	expect(&f, 2, &own3[0]);
}
END_TEST

START_TEST(d53_d54_two_msi_regions_or_an_overlap_cannot_be_configured)
{
	const struct iommu_resv_region two_msi[] = {
		{IOMMU_RESV_MSI, 0x1000, 0x1fff},
		{IOMMU_RESV_MSI, 0x3000, 0x3fff},
	};
	const struct iommu_resv_region over = {IOMMU_RESV_RESERVED, 0x1f000,
					       0x20000};
	const struct iommu_resv_region backwards = {IOMMU_RESV_RESERVED, 2, 1};
	struct iommu_endpoint *ep;
	struct err err;

	with_regions(false);
	ep = v.rig.ep[1];
	ck_assert_int_eq(iommu_endpoint_reserve(ep, two_msi, 2, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "more than one reserved MSI region");
	ck_assert_int_eq(iommu_endpoint_reserve(ep, &over, 1, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "reserved regions overlap at 0x1f000");
	ck_assert_int_eq(iommu_endpoint_reserve(ep, &backwards, 1, &err),
			 -EINVAL);
	ck_assert_uint_eq(probe(1).n, 3);
}
END_TEST

START_TEST(d35_g13a_map_over_a_reserved_region_is_invalid)
{
	with_regions(false);
	OK(vrig_attach(&v, 1, 1, 0));
	FAILS(INVAL, vrig_map(&v, 1, 0x10000, 0x10fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0x1f000, 0x1ffff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0xf000, 0x10fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0x1f000, 0x20fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0, TOP, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0x400000, 0x400fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, RIG_MSI_FIRST, RIG_MSI_LAST, 0, RW));
	OK(vrig_map(&v, 1, 0, 0xffff, 0, RW));
	OK(vrig_map(&v, 1, 0x20000, 0x3fffff, 0, RW));
	OK(vrig_map(&v, 1, 0x401000, RIG_MSI_FIRST - 1, 0, RW));
	OK(vrig_map(&v, 1, RIG_MSI_LAST + 1, TOP, 0, RW));
}
END_TEST

START_TEST(d35_region_of_one_endpoint_counts_while_it_is_attached)
{
	with_regions(false);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 1, 2, 0));
	FAILS(INVAL, vrig_map(&v, 1, 0x30000, 0x30fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, TOP - PAGE + 1, TOP, 0, RW));
	OK(vrig_detach(&v, 1, 2));
	OK(vrig_map(&v, 1, 0x30000, 0x30fff, 0, RW));
	/* The other's domain has it. */
	OK(vrig_attach(&v, 2, 2, 0));
	FAILS(INVAL, vrig_map(&v, 2, 0x30000, 0x30fff, 0, RW));
	/* Not to be mapped for who has the machine's MSI region. */
	OK(vrig_attach(&v, 3, 3, 0));
	OK(vrig_map(&v, 3, RIG_MSI_FIRST, RIG_MSI_LAST, 0, RW));
	FAILS(INVAL, vrig_map(&v, 3, 0x8000000, 0x8000fff, 0, RW));
}
END_TEST

START_TEST(d21_attach_to_mappings_in_its_reserved_region_is_unsupp)
{
	with_regions(false);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0x30000, 0x30fff, 0x30000, RW));
	OK(vrig_attach(&v, 2, 2, 0));
	FAILS(UNSUPP, vrig_attach(&v, 1, 2, 0));
	/* It stays where it was. */
	OK(vrig_map(&v, 2, 0x5000, 0x5fff, 0x5000, RW));
	ck_assert(conf_can(2, 5));
	ck_assert(!conf_can(2, 0x30));
	OK(vrig_unmap(&v, 1, 0x30000, 0x30fff));
	OK(vrig_attach(&v, 1, 2, 0));
	/* The same the other way round. */
	OK(vrig_attach(&v, 3, 3, 0));
	OK(vrig_map(&v, 3, RIG_MSI_FIRST, RIG_MSI_LAST, 0, RW));
	FAILS(UNSUPP, vrig_attach(&v, 3, 1, 0));
}
END_TEST

START_TEST(d21_endpoints_with_different_regions_share_a_domain)
{
	with_regions(false);
	for (unsigned ep = 1; ep <= 3; ep++)
		OK(vrig_attach(&v, 1, ep, 0));
	OK(vrig_map(&v, 1, 0x5000, 0x5fff, 0x5000, RW));
	for (unsigned ep = 1; ep <= 3; ep++)
		ck_assert(conf_can(ep, 5));
	/* The regions of all count. */
	FAILS(INVAL, vrig_map(&v, 1, 0x30000, 0x30fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0x8000000, 0x8000fff, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, RIG_MSI_FIRST, RIG_MSI_LAST, 0, RW));
}
END_TEST

static void expect_kept_out(unsigned ep)
{
	ck_assert(conf_may(ep, 0xffff, DMA_READ));
	ck_assert(!conf_may(ep, 0x10000, DMA_READ));
	ck_assert(!conf_may(ep, 0x1ffff, DMA_WRITE));
	ck_assert(conf_may(ep, 0x20000, DMA_WRITE));
	ck_assert(!conf_may(ep, 0x400000, DMA_WRITE));
	ck_assert(conf_may(ep, 0x400001, DMA_WRITE));
	/* An access that runs into it faults where it begins. */
	rig_expect_fault(&v.rig, ep, 0xf000, 0x2000, DMA_READ,
			 IOMMU_FAULT_UNKNOWN, 0x10000);
}

START_TEST(d55_access_to_a_reserved_region_in_bypass_reaches_no_memory)
{
	with_regions(true);
	iommu_set_fault_sink(v.rig.i, &v.rig.sink);
	expect_kept_out(1);
	/* In a bypass domain alike; the region of endpoint 2 is its own. */
	OK(vrig_attach(&v, 1, 1, 1));
	OK(vrig_attach(&v, 1, 2, 1));
	expect_kept_out(1);
	expect_kept_out(2);
	ck_assert(conf_may(1, 0x30000, DMA_READ));
	ck_assert(!conf_may(2, 0x30000, DMA_READ));
}
END_TEST

START_TEST(d55_access_to_a_reserved_region_of_a_domain_reaches_no_memory)
{
	with_regions(false);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, 0xffff, 0, RW));
	OK(vrig_map(&v, 1, 0x20000, 0x20fff, 0, RW));
	ck_assert(!conf_may(1, 0x10000, DMA_WRITE));
	ck_assert(!conf_may(1, 0x1ffff, DMA_WRITE));
}
END_TEST

START_TEST(probe_with_as_many_regions_as_fit)
{
	struct iommu_resv_region resv[VIOMMU_RESV_MAX + 1];
	struct iommu_config c = rig_config();
	struct viommu_config vc = {.form = IOMMU_TOPOLOGY_NONE};
	struct virtio_dev_env env = {.name = "iommu1", .dma = &v.identity};
	struct virtio_dev *d;
	struct found f;
	struct err err;

	for (unsigned n = 0; n <= VIOMMU_RESV_MAX; n++)
		resv[n] = (struct iommu_resv_region){
			IOMMU_RESV_RESERVED, n * MIB(1), n * MIB(1) + 0xfff};
	c.resv = resv;
	c.nresv = VIOMMU_RESV_MAX;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	f = probe(1);
	ck_assert_uint_eq(f.n, VIOMMU_RESV_MAX);
	for (unsigned n = 0; n < VIOMMU_RESV_MAX; n++)
		expect(&f, n, &resv[n]);

	/* One more is one too many, if only for one endpoint. */
	ck_assert_int_eq(iommu_endpoint_reserve(
				 v.rig.ep[3], &resv[VIOMMU_RESV_MAX], 1, &err),
			 0);
	vc.iommu = v.rig.i;
	ck_assert_int_eq(viommu_new(&d, &env, &vc, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "iommu1: 22 reserved regions, at most 21");
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d44_g12b_probe_ignores_reserved_bytes);
	tcase_add_test(t, d45_probe_of_no_endpoint_is_noent);
	tcase_add_test(
		t, d47_d48_d49_d51_d52_g12e_g13b_g13c_bytes_of_the_properties);
	tcase_add_test(t, d50_g12a_buffer_that_is_too_small_is_invalid);
	tcase_add_test(t, g4_endpoint_may_be_attached_without_a_probe);
	tcase_add_test(t, d53_d54_each_endpoint_reports_its_regions);
	tcase_add_test(
		t, d53_d54_two_msi_regions_or_an_overlap_cannot_be_configured);
	tcase_add_test(t, d35_g13a_map_over_a_reserved_region_is_invalid);
	tcase_add_test(t,
		       d35_region_of_one_endpoint_counts_while_it_is_attached);
	tcase_add_test(t,
		       d21_attach_to_mappings_in_its_reserved_region_is_unsupp);
	tcase_add_test(t, d21_endpoints_with_different_regions_share_a_domain);
	tcase_add_test(
		t, d55_access_to_a_reserved_region_in_bypass_reaches_no_memory);
	tcase_add_test(
		t,
		d55_access_to_a_reserved_region_of_a_domain_reaches_no_memory);
	tcase_add_test(t, probe_with_as_many_regions_as_fit);
}

int main(void)
{
	return conf_main("iommu/conformance/probe", add);
}

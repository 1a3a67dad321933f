/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device through its registers and a real ring.  Names begin with the
 * statement of the specification they answer, where there is one.
 */
#include "iommu/virtio_iommu.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"
#include "iommu/tests/viommu_rig.h"

static struct vrig v;

static void setup(void)
{
	vrig_init(&v, IOMMU_TOPOLOGY_NONE, NULL);
	vrig_up(&v, VRIG_FEATURES);
}

static void teardown(void)
{
	vrig_fini(&v);
}

#define OK(call)       ck_assert_int_eq(call, IOMMU_OK)
#define FAILS(s, call) ck_assert_int_eq(call, IOMMU_##s)
#define MAP(d, page, n)                                                       \
	vrig_map(&v, d, (page)*PAGE, (page)*PAGE + (n)*PAGE - 1, (page)*PAGE, \
		 RW)
#define UNMAP(d, page, n) \
	vrig_unmap(&v, d, (page)*PAGE, (page)*PAGE + (n)*PAGE - 1)

static bool can(unsigned ep, uint64_t page)
{
	return rig_can(&v.rig, ep, page * PAGE, DMA_READ);
}

/*
 * Features and configuration.
 */

static void anew(enum iommu_topology_form form,
		 const struct iommu_config *config)
{
	teardown();
	vrig_init(&v, form, config);
}

START_TEST(d1_d2_d63_d71_features_of_each_form)
{
	const uint64_t common = BIT_ULL(VIRTIO_F_VERSION_1) |
				BIT_ULL(VIRTIO_F_INDIRECT_DESC) |
				BIT_ULL(VIRTIO_F_EVENT_IDX);

	ck_assert_uint_eq(v.d->offered, common | 0x77);
	anew(IOMMU_TOPOLOGY_V2, NULL);
	ck_assert_uint_eq(v.d->offered, common | 0x77);
	anew(IOMMU_TOPOLOGY_NATIVE, NULL);
	ck_assert_uint_eq(v.d->offered, common | 0x77 | BIT_ULL(23));
}
END_TEST

START_TEST(d64_config_of_the_ratified_form)
{
	static const uint8_t want[48] = {
		0,    0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    0,
		0,    0,    0,	  0,	0,    0,    0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0,    0,    0,	  0,	0xff, 0xff,
		0xff, 0xff, 0,	  2,	0,    0,    1};
	struct iommu_config c = rig_config();

	c.bypass = true;
	anew(IOMMU_TOPOLOGY_NONE, &c);
	/* Before any negotiation. */
	ck_assert_uint_eq(v.d->status, 0);
	ck_assert_uint_eq(v.d->config_len, 48);
	for (unsigned n = 0; n < sizeof(want); n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), want[n]);
	/* A 2020 guest finds no topology. */
	ck_assert_uint_eq(vrig_config(&v, 40, 4), 0);
	ck_assert_uint_eq(vrig_config(&v, 44, 4), 0);
}
END_TEST

START_TEST(d69_config_at_any_width)
{
	ck_assert_uint_eq(vrig_config(&v, 0, 4), 0xfffff000);
	ck_assert_uint_eq(vrig_config(&v, 4, 4), 0xffffffff);
	ck_assert_uint_eq(vrig_config(&v, 0, 8), 0xfffffffffffff000);
	ck_assert_uint_eq(vrig_config(&v, 32, 2), 512);
	ck_assert_uint_eq(vrig_config(&v, 33, 1), 2);
}
END_TEST

static void expect_topology(unsigned at)
{
	static const uint8_t item[16] = {1, 0, 0, 0, 16, 0, 16, 0, 2};
	uint64_t items;

	ck_assert_uint_eq(vrig_config(&v, at, 4), 64);
	ck_assert_uint_eq(vrig_config(&v, at + 4, 4), 3);
	ck_assert_uint_eq(vrig_config(&v, at + 8, 4), 16);
	items = vrig_config(&v, at, 4);
	ck_assert_uint_eq(v.d->config_len, 64 + 3 * 16);
	for (unsigned n = 0; n < 16; n++)
		ck_assert_uint_eq(vrig_config(&v, items + 16 + n, 1), item[n]);
}

START_TEST(topology_of_the_v2_form)
{
	anew(IOMMU_TOPOLOGY_V2, NULL);
	expect_topology(36);
	for (unsigned n = 48; n < 64; n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), 0);
}
END_TEST

START_TEST(topology_of_the_native_form)
{
	anew(IOMMU_TOPOLOGY_NATIVE, NULL);
	expect_topology(48);
	for (unsigned n = 36; n < 48; n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), 0);
}
END_TEST

static void expect_empty(enum iommu_topology_form form, unsigned at)
{
	static const uint8_t empty[12] = {64, 0, 0, 0, 0, 0, 0, 0, 16};
	struct iommu_topology none = {0};
	struct viommu_config c = {v.rig.i, &none, form};
	struct virtio_dev_env env = {
		.name = "iommu1",
		.dma = &v.identity,
		.loop = v.loop,
	};
	struct virtio_dev *d;

	ck_assert_int_eq(viommu_new(&d, &env, &c, NULL), 0);
	ck_assert_uint_eq(d->config_len, 64);
	ck_assert_mem_eq(d->config + at, empty, sizeof(empty));
	virtio_dev_free(d);
}

START_TEST(iommu_without_endpoints_describes_none)
{
	expect_empty(IOMMU_TOPOLOGY_V2, 36);
	expect_empty(IOMMU_TOPOLOGY_NATIVE, 48);
}
END_TEST

START_TEST(d72_topology_is_constant)
{
	uint8_t before[112];

	anew(IOMMU_TOPOLOGY_NATIVE, NULL);
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

START_TEST(topology_only_cycles_leave_nothing_behind)
{
	anew(IOMMU_TOPOLOGY_V2, NULL);
	for (unsigned n = 0; n < 5; n++) {
		vrig_reset(&v);
		pthread_mutex_lock(&v.d->lock);
		virtio_set_status(v.d, 1);
		virtio_set_status(v.d, 3);
		pthread_mutex_unlock(&v.d->lock);
		expect_topology(36);
	}
	vrig_up(&v, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

START_TEST(d7_bypass_shows_only_0_and_1)
{
	for (unsigned val = 2; val < 256; val++) {
		vrig_config_write(&v, 36, 1, val);
		ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	}
	ck_assert(!can(1, 5));
	vrig_config_write(&v, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 1);
	ck_assert(can(1, 5));
	vrig_config_write(&v, 36, 1, 0xff);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 1);
	/* As part of a wider write. */
	vrig_config_write(&v, 32, 8, 0);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	ck_assert_uint_eq(vrig_config(&v, 32, 4), 512);
	ck_assert(!can(1, 5));
}
END_TEST

START_TEST(d5_bypass_survives_device_reset)
{
	vrig_config_write(&v, 36, 1, 1);
	vrig_reset(&v);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 1);
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(d6_bypass_is_restored_by_system_reset)
{
	vrig_config_write(&v, 36, 1, 1);
	OK(vrig_attach(&v, 1, 1, 0));
	pthread_mutex_lock(&v.d->lock);
	viommu_power_on_reset(v.d);
	pthread_mutex_unlock(&v.d->lock);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	ck_assert_uint_eq(v.d->status, 0);
	ck_assert(!can(1, 5));
	ck_assert(!can(2, 5));
}
END_TEST

START_TEST(bypass_cannot_be_written_in_the_v2_form)
{
	anew(IOMMU_TOPOLOGY_V2, NULL);
	vrig_config_write(&v, 36, 1, 1);
	vrig_config_write(&v, 36, 4, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 4), 64);
	ck_assert(!iommu_bypass(v.rig.i));
}
END_TEST

START_TEST(d4_bypass_from_power_on_in_each_form)
{
	static const enum iommu_topology_form forms[] = {
		IOMMU_TOPOLOGY_NONE, IOMMU_TOPOLOGY_V2, IOMMU_TOPOLOGY_NATIVE};
	struct iommu_config c = rig_config();

	c.bypass = true;
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		anew(forms[n], &c);
		ck_assert(can(1, 5));
		vrig_up(&v, VRIG_FEATURES);
		ck_assert(can(1, 5));
		OK(vrig_attach(&v, 1, 1, 0));
		ck_assert(!can(1, 5));
		ck_assert(can(2, 5));
	}
}
END_TEST

START_TEST(device_that_a_careful_guest_would_refuse_is_not_made)
{
	struct viommu_config c = {v.rig.i, &v.topo, IOMMU_TOPOLOGY_V2};
	struct virtio_dev_env env = {.name = "iommu1", .dma = &v.identity};
	struct virtio_dev *d;
	struct err err;

	ck_assert_int_eq(iommu_topology_add_pci(&v.topo, 0, 77, 77, &err), 0);
	ck_assert_int_eq(viommu_new(&d, &env, &c, &err), -EINVAL);
	ck_assert_str_eq(
		err.msg,
		"iommu1: endpoint 77 is in the topology but not in the IOMMU");
	v.topo.items[1].endpoint = 1;
	ck_assert_int_eq(viommu_new(&d, &env, &c, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "iommu1: entries 0 and 1 of the IOMMU's "
				  "topology overlap");
}
END_TEST

/*
 * Requests in general.
 */

START_TEST(d10_attach_map_unmap_detach)
{
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(!can(1, 5));
	OK(MAP(1, 5, 1));
	ck_assert(can(1, 5));
	OK(UNMAP(1, 5, 1));
	ck_assert(!can(1, 5));
	OK(vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(errors_complete_with_the_full_length)
{
	/* vrig_ calls assert the length. */
	FAILS(NOENT, vrig_attach(&v, 1, 99, 0));
	FAILS(NOENT, vrig_detach(&v, 1, 99));
	FAILS(INVAL, vrig_detach(&v, 1, 1));
	FAILS(NOENT, MAP(1, 5, 1));
	FAILS(NOENT, UNMAP(1, 5, 1));
	FAILS(INVAL, vrig_attach(&v, 1, 1, 2));
	OK(vrig_attach(&v, 1, 1, 0));
	FAILS(RANGE, vrig_map(&v, 1, 1, 2, 0, RW));
	FAILS(INVAL, vrig_map(&v, 1, 0, PAGE - 1, 0, 8));
	OK(MAP(1, 4, 2));
	FAILS(INVAL, MAP(1, 5, 1));
	FAILS(RANGE, UNMAP(1, 4, 1));
}
END_TEST

START_TEST(d11_unknown_type_comes_back_unwritten)
{
	uint8_t b[72] = {0}, reply[16];

	for (unsigned type = 0; type < 256; type++) {
		if (type >= 1 && type <= 5)
			continue;
		b[0] = (uint8_t)type;
		ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 0);
		ck_assert_uint_eq(reply[0], 0xee);
	}
}
END_TEST

START_TEST(d12_without_room_for_the_tail_comes_back_unwritten)
{
	uint8_t b[20], reply[4];

	vrig_put_attach(b, 1, 1, 0);
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 3), 0);
	ck_assert_uint_eq(reply[0], 0xee);
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 0), 0);
	ck_assert_uint_eq(vrig_send(&v, b, 0, reply, 4), 0);
	ck_assert_uint_eq(vrig_send(&v, b, 3, reply, 4), 0);
	/* It was not executed either. */
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d12_short_request_with_a_tail_is_invalid)
{
	uint8_t b[20], reply[4];

	vrig_put_attach(b, 1, 1, 0);
	ck_assert_uint_eq(vrig_send(&v, b, 19, reply, 4), 4);
	ck_assert_uint_eq(reply[0], IOMMU_INVAL);
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d68_requests_cut_into_any_descriptors)
{
	for (unsigned piece = 1; piece < 40; piece++) {
		struct vqd_buf bufs[48];
		uint8_t b[36], tail[4];
		uint32_t head, len;
		unsigned n = 0;
		iova_t at, reply;

		OK(vrig_attach(&v, 1, 1, 0));
		vrig_put_map(b, 1, 0x5000, 0x5fff, 0x5000, RW);
		at = vqd_put(&v.req, b, sizeof(b));
		reply = vqd_alloc(&v.req, 4);
		for (unsigned off = 0; off < sizeof(b); off += piece)
			bufs[n++] = (struct vqd_buf){
				at + off,
				(uint32_t)min_u64(piece, sizeof(b) - off),
				false};
		for (unsigned off = 0; off < 4; off += piece)
			bufs[n++] = (struct vqd_buf){
				reply + off, (uint32_t)min_u64(piece, 4 - off),
				true};
		vqd_add(&v.req, bufs, n);
		vrig_ring(&v);
		ck_assert(vqd_get_used(&v.req, &head, &len));
		ck_assert_uint_eq(len, 4);
		vqd_read(&v.req, reply, tail, 4);
		ck_assert_uint_eq(tail[0], IOMMU_OK);
		ck_assert(can(1, 5));
		OK(vrig_detach(&v, 1, 1));
	}
}
END_TEST

START_TEST(d68_indirect_requests)
{
	struct vqd_buf bufs[2];
	uint8_t b[20], tail[4];
	uint32_t head, len;

	vrig_reset(&v);
	vrig_up(&v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	vrig_put_attach(b, 1, 1, 0);
	bufs[0] = (struct vqd_buf){vqd_put(&v.req, b, 20), 20, false};
	bufs[1] = (struct vqd_buf){vqd_alloc(&v.req, 4), 4, true};
	vqd_add_indirect(&v.req, bufs, 2);
	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(len, 4);
	vqd_read(&v.req, bufs[1].at, tail, 4);
	ck_assert_uint_eq(tail[0], IOMMU_OK);
}
END_TEST

START_TEST(longer_buffers_get_the_tail_at_its_place)
{
	uint8_t b[72] = {0}, reply[16];

	vrig_put_attach(b, 1, 1, 0);
	ck_assert_uint_eq(vrig_send(&v, b, 40, reply, 16), 4);
	ck_assert_uint_eq(reply[0], IOMMU_OK);
	ck_assert_uint_eq(reply[4], 0xee);
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
		ck_assert(can(1, n));
	}
	ck_assert(!vqd_get_used(&v.req, &head, &len));
}
END_TEST

START_TEST(d65_nothing_is_taken_before_driver_ok)
{
	uint32_t head, len;
	uint8_t b[20];
	iova_t reply;

	vrig_reset(&v);
	pthread_mutex_lock(&v.d->lock);
	ck_assert(vqd_negotiate(v.d, VRIG_FEATURES & v.d->offered));
	vqd_renew(&v.req);
	vqd_connect(&v.req, v.d, 0);
	pthread_mutex_unlock(&v.d->lock);
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	pthread_mutex_lock(&v.d->lock);
	vqd_driver_ok(v.d);
	pthread_mutex_unlock(&v.d->lock);
	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
}
END_TEST

START_TEST(d8_d66_reset_detaches_everything)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 2, 2, 1));
	OK(MAP(1, 5, 1));
	vrig_reset(&v);
	ck_assert_uint_eq(v.d->status, 0);
	ck_assert(!can(1, 5));
	ck_assert(!can(2, 5));
	vrig_up(&v, VRIG_FEATURES);
	FAILS(NOENT, MAP(1, 5, 1));
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
}
END_TEST

START_TEST(d13_reserved_bytes_of_head_and_tail)
{
	uint8_t b[20], reply[4];

	vrig_put_attach(b, 1, 1, 0);
	b[1] = b[2] = b[3] = 0xff;
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 4);
	ck_assert_mem_eq(reply, "\0\0\0\0", 4);
}
END_TEST

START_TEST(d15_d24_d38_reserved_bytes_of_requests)
{
	uint8_t b[28], reply[4];

	vrig_put_attach(b, 1, 1, 0);
	b[19] = 1;
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 4);
	ck_assert_uint_eq(reply[0], IOMMU_INVAL);
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
	vrig_put_unmap(b, 1, 0x5000, 0x5fff);
	b[24] = 1;
	ck_assert_uint_eq(vrig_send(&v, b, 28, reply, 4), 4);
	ck_assert_uint_eq(reply[0], IOMMU_INVAL);
	ck_assert(can(1, 5));
	vrig_put_detach(b, 1, 1);
	memset(b + 12, 0xff, 8);
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 4);
	ck_assert_uint_eq(reply[0], IOMMU_OK);
}
END_TEST

START_TEST(attach_with_bypass_works_in_each_form)
{
	static const enum iommu_topology_form forms[] = {
		IOMMU_TOPOLOGY_NONE, IOMMU_TOPOLOGY_V2, IOMMU_TOPOLOGY_NATIVE};

	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		anew(forms[n], NULL);
		vrig_up(&v, VRIG_FEATURES);
		OK(vrig_attach(&v, 9, 2, 1));
		ck_assert(can(2, 5));
		FAILS(INVAL, MAP(9, 5, 1));
		FAILS(INVAL, vrig_attach(&v, 9, 1, 0));
		OK(vrig_detach(&v, 9, 2));
		ck_assert(!can(2, 5));
	}
}
END_TEST

START_TEST(d37_mmio_flag_needs_its_feature)
{
	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0, PAGE - 1, 0, RW | IOMMU_MAP_MMIO));
	vrig_reset(&v);
	vrig_up(&v, VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_MMIO));
	OK(vrig_attach(&v, 1, 1, 0));
	FAILS(INVAL, vrig_map(&v, 1, 0, PAGE - 1, 0, RW | IOMMU_MAP_MMIO));
}
END_TEST

START_TEST(unreachable_buffers_do_no_harm)
{
	struct vqd_buf bufs[2] = {{GIB(100), 20, false}, {GIB(200), 4, true}};
	uint32_t head, len;
	uint8_t b[20];

	vqd_add(&v.req, bufs, 2);
	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(len, 0);
	/* Readable, but no way to tell the status. */
	vrig_put_attach(b, 1, 1, 0);
	bufs[0].at = vqd_put(&v.req, b, 20);
	vqd_add(&v.req, bufs, 2);
	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert(v.d->running);
	OK(vrig_detach(&v, 1, 1));
}
END_TEST

/*
 * PROBE.
 */

START_TEST(d45_d47_d48_d49_d51_d52_d53_probe)
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
	vrig_put_probe(b, 99);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 516), 516);
	for (unsigned n = 0; n < 512; n++)
		ck_assert_uint_eq(reply[n], 0);
	ck_assert_uint_eq(reply[512], IOMMU_NOENT);
}
END_TEST

START_TEST(d44_probe_reserved_is_ignored)
{
	uint8_t b[72], reply[516];

	vrig_put_probe(b, 1);
	memset(b + 8, 0xff, 64);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 516), 516);
	ck_assert_uint_eq(reply[512], IOMMU_OK);
}
END_TEST

START_TEST(d50_probe_buffer_too_small_is_invalid)
{
	uint8_t b[72], reply[516];

	vrig_put_probe(b, 1);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 515), 515);
	for (unsigned n = 0; n < 511; n++)
		ck_assert_uint_eq(reply[n], 0);
	ck_assert_uint_eq(reply[511], IOMMU_INVAL);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 4), 4);
	ck_assert_uint_eq(reply[0], IOMMU_INVAL);
}
END_TEST

START_TEST(probe_with_as_many_regions_as_fit)
{
	struct iommu_resv_region resv[VIOMMU_RESV_MAX + 1];
	struct iommu_config c = rig_config();
	struct viommu_config vc = {.form = IOMMU_TOPOLOGY_NONE};
	struct virtio_dev_env env = {.name = "iommu1", .dma = &v.identity};
	struct virtio_dev *d;
	struct err err;
	uint8_t b[72], reply[516];

	for (unsigned n = 0; n <= VIOMMU_RESV_MAX; n++)
		resv[n] = (struct iommu_resv_region){
			IOMMU_RESV_RESERVED, n * MIB(1), n * MIB(1) + 0xfff};
	c.resv = resv;
	c.nresv = VIOMMU_RESV_MAX;
	anew(IOMMU_TOPOLOGY_NONE, &c);
	vrig_up(&v, VRIG_FEATURES);
	vrig_put_probe(b, 1);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, 516), 516);
	for (unsigned n = 0; n < VIOMMU_RESV_MAX; n++) {
		ck_assert_uint_eq(le16_load(reply + 24 * n), 1);
		ck_assert_uint_eq(le64_load(reply + 24 * n + 8), n * MIB(1));
	}
	ck_assert_uint_eq(reply[512], IOMMU_OK);

	c.mem = &v.rig.mem;
	c.nresv++;
	ck_assert_int_eq(iommu_new(&vc.iommu, &c, &err), 0);
	ck_assert_int_eq(viommu_new(&d, &env, &vc, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "iommu1: 22 reserved regions, at most 21");
	iommu_free(vc.iommu);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/viommu");
	TCase *t = tcase_create("viommu");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, d1_d2_d63_d71_features_of_each_form);
	tcase_add_test(t, d64_config_of_the_ratified_form);
	tcase_add_test(t, d69_config_at_any_width);
	tcase_add_test(t, topology_of_the_v2_form);
	tcase_add_test(t, topology_of_the_native_form);
	tcase_add_test(t, iommu_without_endpoints_describes_none);
	tcase_add_test(t, d72_topology_is_constant);
	tcase_add_test(t, topology_only_cycles_leave_nothing_behind);
	tcase_add_test(t, d7_bypass_shows_only_0_and_1);
	tcase_add_test(t, d5_bypass_survives_device_reset);
	tcase_add_test(t, d6_bypass_is_restored_by_system_reset);
	tcase_add_test(t, bypass_cannot_be_written_in_the_v2_form);
	tcase_add_test(t, d4_bypass_from_power_on_in_each_form);
	tcase_add_test(t, device_that_a_careful_guest_would_refuse_is_not_made);
	tcase_add_test(t, d10_attach_map_unmap_detach);
	tcase_add_test(t, errors_complete_with_the_full_length);
	tcase_add_test(t, d11_unknown_type_comes_back_unwritten);
	tcase_add_test(t, d12_without_room_for_the_tail_comes_back_unwritten);
	tcase_add_test(t, d12_short_request_with_a_tail_is_invalid);
	tcase_add_test(t, d68_requests_cut_into_any_descriptors);
	tcase_add_test(t, d68_indirect_requests);
	tcase_add_test(t, longer_buffers_get_the_tail_at_its_place);
	tcase_add_test(t, one_kick_drains_the_ring);
	tcase_add_test(t, d65_nothing_is_taken_before_driver_ok);
	tcase_add_test(t, d8_d66_reset_detaches_everything);
	tcase_add_test(t, d13_reserved_bytes_of_head_and_tail);
	tcase_add_test(t, d15_d24_d38_reserved_bytes_of_requests);
	tcase_add_test(t, attach_with_bypass_works_in_each_form);
	tcase_add_test(t, d37_mmio_flag_needs_its_feature);
	tcase_add_test(t, unreachable_buffers_do_no_harm);
	tcase_add_test(t, d45_d47_d48_d49_d51_d52_d53_probe);
	tcase_add_test(t, d44_probe_reserved_is_ignored);
	tcase_add_test(t, d50_probe_buffer_too_small_is_invalid);
	tcase_add_test(t, probe_with_as_many_regions_as_fit);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What all requests have in common: head, tail, sizes, descriptors.
 * [virtio 1.2, 5.13.6, 2.7.4]
 */
#include <string.h>

#include "iommu/tests/conformance/conf.h"

START_TEST(d10_what_succeeds_is_ok)
{
	uint8_t properties[VIOMMU_PROBE_SIZE];

	OK(vrig_probe(&v, 1, properties));
	OK(vrig_attach(&v, 1, 1, 0));
	ck_assert(!conf_can(1, 5));
	OK(MAP(1, 5, 1));
	ck_assert(conf_can(1, 5));
	OK(UNMAP(1, 5, 1));
	ck_assert(!conf_can(1, 5));
	OK(vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d11_g6_unknown_type_comes_back_unwritten)
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
	for (uint32_t room = 0; room < 4; room++) {
		ck_assert_uint_eq(vrig_send(&v, b, 20, reply, room), 0);
		for (uint32_t n = 0; n < room; n++)
			ck_assert_uint_eq(reply[n], 0xee);
	}
	ck_assert_uint_eq(vrig_send(&v, b, 0, reply, 4), 0);
	ck_assert_uint_eq(vrig_send(&v, b, 3, reply, 4), 0);
	/* It was not executed either. */
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d12_short_request_with_a_tail_is_invalid)
{
	static const uint8_t sizes[] = {20, 20, 36, 28};
	uint8_t b[36];

	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned type = 1; type <= 4; type++) {
		memset(b, 0, sizeof(b));
		b[0] = (uint8_t)type;
		for (uint32_t len = 4; len < sizes[type - 1]; len++)
			FAILS(INVAL, conf_send(b, len));
	}
	OK(vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d13_g5_reserved_bytes_of_the_head_are_ignored)
{
	uint8_t b[72], reply[VIOMMU_PROBE_SIZE + 4];

	vrig_put_probe(b, 1);
	b[1] = b[2] = b[3] = 0xff;
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, sizeof(reply)),
			  sizeof(reply));
	OK(reply[VIOMMU_PROBE_SIZE]);
	vrig_put_attach(b, 1, 1, 0);
	b[1] = b[2] = b[3] = 0xff;
	OK(conf_send(b, 20));
	vrig_put_map(b, 1, 0x5000, 0x5fff, 0x5000, RW);
	b[1] = b[2] = b[3] = 0xff;
	OK(conf_send(b, 36));
	ck_assert(conf_can(1, 5));
	vrig_put_unmap(b, 1, 0x5000, 0x5fff);
	b[1] = b[2] = b[3] = 0xff;
	OK(conf_send(b, 28));
	ck_assert(!conf_can(1, 5));
	vrig_put_detach(b, 1, 1);
	b[1] = b[2] = b[3] = 0xff;
	OK(conf_send(b, 20));
	FAILS(INVAL, vrig_detach(&v, 1, 1));
}
END_TEST

START_TEST(d13_reserved_bytes_of_the_tail_are_zero)
{
	uint8_t b[72], reply[VIOMMU_PROBE_SIZE + 4];

	vrig_put_attach(b, 1, 1, 0);
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 4);
	ck_assert_mem_eq(reply, "\0\0\0\0", 4);
	vrig_put_attach(b, 1, 99, 0);
	ck_assert_uint_eq(vrig_send(&v, b, 20, reply, 4), 4);
	ck_assert_mem_eq(reply, "\6\0\0\0", 4);
	vrig_put_map(b, 1, 0x5000, 0x5fff, 0x5000, RW);
	ck_assert_uint_eq(vrig_send(&v, b, 36, reply, 4), 4);
	ck_assert_mem_eq(reply, "\0\0\0\0", 4);
	vrig_put_unmap(b, 1, 0x5000, 0x5ffe);
	ck_assert_uint_eq(vrig_send(&v, b, 28, reply, 4), 4);
	ck_assert_mem_eq(reply, "\5\0\0\0", 4);
	vrig_put_probe(b, 99);
	ck_assert_uint_eq(vrig_send(&v, b, 72, reply, sizeof(reply)),
			  sizeof(reply));
	ck_assert_mem_eq(reply + VIOMMU_PROBE_SIZE, "\6\0\0\0", 4);
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

/* A MAP of page 5 in descriptors of @piece bytes. */
static void add_map_cut(uint8_t *b, unsigned piece, iova_t reply)
{
	struct vqd_buf bufs[48];
	iova_t at = vqd_put(&v.req, b, 36);
	unsigned n = 0;

	for (unsigned off = 0; off < 36; off += piece)
		bufs[n++] = (struct vqd_buf){
			at + off, (uint32_t)min_u64(piece, 36 - off), false};
	for (unsigned off = 0; off < 4; off += piece)
		bufs[n++] = (struct vqd_buf){
			reply + off, (uint32_t)min_u64(piece, 4 - off), true};
	vqd_add(&v.req, bufs, n);
}

static void expect_reply(iova_t reply)
{
	uint32_t head, len;
	uint8_t tail[4];

	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(len, 4);
	vqd_read(&v.req, reply, tail, 4);
	ck_assert_uint_eq(tail[0], IOMMU_OK);
}

START_TEST(d68_requests_cut_into_any_descriptors)
{
	for (unsigned piece = 1; piece < 40; piece++) {
		iova_t reply = vqd_alloc(&v.req, 4);
		uint8_t b[36];

		OK(vrig_attach(&v, 1, 1, 0));
		vrig_put_map(b, 1, 0x5000, 0x5fff, 0x5000, RW);
		add_map_cut(b, piece, reply);
		expect_reply(reply);
		ck_assert(conf_can(1, 5));
		OK(vrig_detach(&v, 1, 1));
	}
}
END_TEST

START_TEST(d68_indirect_requests)
{
	struct vqd_buf bufs[2];
	uint8_t b[20];

	conf_restart(VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	vrig_put_attach(b, 1, 1, 0);
	bufs[0] = (struct vqd_buf){vqd_put(&v.req, b, 20), 20, false};
	bufs[1] = (struct vqd_buf){vqd_alloc(&v.req, 4), 4, true};
	vqd_add_indirect(&v.req, bufs, 2);
	expect_reply(bufs[1].at);
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

static void add(TCase *t)
{
	tcase_add_test(t, d10_what_succeeds_is_ok);
	tcase_add_test(t, d11_g6_unknown_type_comes_back_unwritten);
	tcase_add_test(t, d12_without_room_for_the_tail_comes_back_unwritten);
	tcase_add_test(t, d12_short_request_with_a_tail_is_invalid);
	tcase_add_test(t, d13_g5_reserved_bytes_of_the_head_are_ignored);
	tcase_add_test(t, d13_reserved_bytes_of_the_tail_are_zero);
	tcase_add_test(t, errors_complete_with_the_full_length);
	tcase_add_test(t, d68_requests_cut_into_any_descriptors);
	tcase_add_test(t, d68_indirect_requests);
	tcase_add_test(t, longer_buffers_get_the_tail_at_its_place);
	tcase_add_test(t, unreachable_buffers_do_no_harm);
}

int main(void)
{
	return conf_main("iommu/conformance/requests", add);
}

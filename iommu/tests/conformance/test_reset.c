/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Initialisation and reset.   [virtio 1.2, 2.1, 2.4, 3.1]
 */
#include "iommu/tests/conformance/conf.h"

static void set_status(uint8_t status)
{
	pthread_mutex_lock(&v.d->lock);
	virtio_set_status(v.d, status);
	pthread_mutex_unlock(&v.d->lock);
}

/* Up to FEATURES_OK, queue 0 ready. */
static void prepare(void)
{
	vrig_reset(&v);
	pthread_mutex_lock(&v.d->lock);
	ck_assert(vqd_negotiate(v.d, VRIG_FEATURES & v.d->offered));
	vqd_renew(&v.req);
	vqd_connect(&v.req, v.d, 0);
	pthread_mutex_unlock(&v.d->lock);
}

START_TEST(d8_device_reset_detaches_everything)
{
	struct iommu_stats s;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_attach(&v, 2, 2, 1));
	OK(vrig_attach(&v, 1, 3, 0));
	OK(MAP(1, 5, 1));
	OK(vrig_map(&v, 1, TOP - PAGE + 1, TOP, 0, RW));
	vrig_reset(&v);
	for (unsigned ep = 1; ep <= 3; ep++)
		ck_assert(!conf_can(ep, 5));
	iommu_get_stats(v.rig.i, &s);
	ck_assert_uint_eq(s.domains, 0);
	ck_assert_uint_eq(s.mappings, 0);
	ck_assert_uint_eq(s.mapped_bytes, 0);
	ck_assert_uint_eq(s.table_bytes, 0);
	vrig_up(&v, VRIG_FEATURES);
	FAILS(NOENT, MAP(1, 5, 1));
	OK(vrig_attach(&v, 1, 1, 0));
	OK(MAP(1, 5, 1));
}
END_TEST

START_TEST(d65_g17_nothing_is_taken_before_driver_ok)
{
	uint32_t head, len;
	uint8_t b[20];
	iova_t reply;

	prepare();
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(v.transport.queue_irqs[0], 0);
	set_status(15);
	vrig_ring(&v);
	ck_assert(vqd_get_used(&v.req, &head, &len));
}
END_TEST

START_TEST(d66_status_is_zero_after_reset_and_the_rings_are_left_alone)
{
	uint32_t head, len;
	uint8_t b[20];
	iova_t reply;
	unsigned irqs;

	vrig_reset(&v);
	ck_assert_uint_eq(v.d->status, 0);
	irqs = v.transport.queue_irqs[0];
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	ck_assert_uint_eq(v.transport.queue_irqs[0], irqs);
	/* Half-way through a new start, too. */
	set_status(1);
	set_status(3);
	vrig_ring(&v);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
}
END_TEST

START_TEST(g3_driver_without_map_unmap_gets_identity_or_nothing)
{
	conf_restart(BIT_ULL(VIRTIO_F_VERSION_1) |
		     BIT_ULL(VIOMMU_F_BYPASS_CONFIG));
	OK(vrig_attach(&v, 1, 1, 1));
	ck_assert(conf_can(1, 5));
	vrig_config_write(&v, 36, 1, 1);
	ck_assert(conf_can(2, 5));
}
END_TEST

START_TEST(g15_steps_in_another_order_do_not_start_the_device)
{
	static const uint8_t orders[][4] = {
		{4, 8, 15, 15}, {1, 4, 7, 5}, {3, 7, 7, 7}, {8, 11, 15, 15}};

	for (unsigned n = 0; n < ARRAY_SIZE(orders); n++) {
		vrig_reset(&v);
		for (unsigned k = 0; k < 4; k++)
			set_status(orders[n][k]);
		/* Without VERSION_1 accepted FEATURES_OK does not stick. */
		ck_assert(!v.d->running);
		ck_assert(!(v.d->status & 8));
	}
	conf_restart(VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

START_TEST(g16_failed_driver_is_not_served_any_more)
{
	uint32_t head, len;
	uint8_t b[20];
	iova_t reply;

	set_status(v.d->status | VIRTIO_STATUS_FAILED);
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!vqd_get_used(&v.req, &head, &len));
	conf_restart(VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d8_device_reset_detaches_everything);
	tcase_add_test(t, d65_g17_nothing_is_taken_before_driver_ok);
	tcase_add_test(
		t, d66_status_is_zero_after_reset_and_the_rings_are_left_alone);
	tcase_add_test(t, g3_driver_without_map_unmap_gets_identity_or_nothing);
	tcase_add_test(t, g15_steps_in_another_order_do_not_start_the_device);
	tcase_add_test(t, g16_failed_driver_is_not_served_any_more);
}

int main(void)
{
	return conf_main("iommu/conformance/reset", add);
}

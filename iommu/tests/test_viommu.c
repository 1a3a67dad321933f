/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device's own: the description of the topology in its configuration, and
 * several devices side by side.  What the specification says is tested in
 * conformance/.
 */
#include "iommu/virtio_iommu.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
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

static void anew(enum iommu_topology_form form)
{
	teardown();
	vrig_init(&v, form, NULL);
}

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
	anew(IOMMU_TOPOLOGY_V2);
	expect_topology(36);
	for (unsigned n = 48; n < 64; n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), 0);
}
END_TEST

START_TEST(topology_of_the_native_form)
{
	anew(IOMMU_TOPOLOGY_NATIVE);
	expect_topology(48);
	for (unsigned n = 36; n < 48; n++)
		ck_assert_uint_eq(vrig_config(&v, n, 1), 0);
}
END_TEST

static void expect_empty(enum iommu_topology_form form, unsigned at)
{
	static const uint8_t empty[12] = {64, 0, 0, 0, 0, 0, 0, 0, 16};
	struct iommu_topology none = {0};
	struct viommu_config c = {
		.iommu = v.rig.i, .topology = &none, .form = form};
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

START_TEST(topology_only_cycles_leave_nothing_behind)
{
	anew(IOMMU_TOPOLOGY_V2);
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

START_TEST(device_that_a_careful_guest_would_refuse_is_not_made)
{
	struct viommu_config c = {.iommu = v.rig.i,
				  .topology = &v.topo,
				  .form = IOMMU_TOPOLOGY_V2};
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

START_TEST(two_devices_share_nothing)
{
	static struct vrig w;

	vrig_init(&w, IOMMU_TOPOLOGY_NONE, NULL);
	vrig_up(&w, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
	FAILS(NOENT, vrig_map(&w, 1, 0x5000, 0x5fff, 0x5000, RW));
	OK(vrig_attach(&w, 1, 1, 1));
	OK(vrig_map(&v, 1, 0x5000, 0x5fff, 0x9000, RW));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), 0x9000);
	ck_assert_uint_eq(rig_where(&w.rig, 1, 0x5000), 0x5000);
	vrig_config_write(&w, 36, 1, 1);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	ck_assert(!rig_can(&v.rig, 2, 0, DMA_READ));
	ck_assert(rig_can(&w.rig, 2, 0, DMA_READ));
	vrig_reset(&w);
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), 0x9000);
	vrig_fini(&w);
	OK(vrig_unmap(&v, 1, 0x5000, 0x5fff));
}
END_TEST

struct seen {
	struct viommu_watcher watcher;
	unsigned requests, faults;
	struct iommu_request request;
	enum iommu_status status;
	struct iommu_fault fault;
};

static void see_request(struct viommu_watcher *w, const struct iommu_request *r,
			enum iommu_status status)
{
	struct seen *seen = container_of(w, struct seen, watcher);

	seen->requests++;
	seen->request = *r;
	seen->status = status;
}

static void see_fault(struct viommu_watcher *w, const struct iommu_fault *f)
{
	struct seen *seen = container_of(w, struct seen, watcher);

	seen->faults++;
	seen->fault = *f;
}

START_TEST(watcher_sees_requests_and_faults)
{
	static struct seen seen = {.watcher = {see_request, see_fault}};
	uint8_t properties[VIOMMU_PROBE_SIZE];
	uint8_t b[20], r[24];

	vrig_fini(&v);
	vrig_init_watched(&v, &seen.watcher);
	vrig_loop_start(&v);
	vrig_up(&v, VRIG_FEATURES);
	vrig_add_events(&v, 4, 24);
	OK(vrig_attach(&v, 7, 1, 0));
	ck_assert_uint_eq(seen.requests, 1);
	ck_assert_int_eq(seen.request.type, IOMMU_REQUEST_ATTACH);
	ck_assert_uint_eq(seen.request.domain, 7);
	ck_assert_int_eq(seen.status, IOMMU_OK);
	FAILS(RANGE, vrig_map(&v, 7, 1, 2, 0, RW));
	ck_assert_uint_eq(seen.requests, 2);
	ck_assert_int_eq(seen.status, IOMMU_RANGE);
	/* What the parser rejects, but not what it does not know. */
	FAILS(INVAL, vrig_attach(&v, 1, 1, 4));
	ck_assert_uint_eq(seen.requests, 3);
	OK(vrig_probe(&v, 2, properties));
	ck_assert_int_eq(seen.request.type, IOMMU_REQUEST_PROBE);
	ck_assert_uint_eq(seen.requests, 4);
	vrig_put_attach(b, 1, 1, 0);
	b[0] = 77;
	ck_assert_uint_eq(vrig_send(&v, b, 20, r, 4), 0);
	ck_assert_uint_eq(seen.requests, 4);
	ck_assert(!rig_can(&v.rig, 3, 0x1234, DMA_WRITE));
	ck_assert_uint_eq(vrig_event(&v, r), 24);
	ck_assert_uint_eq(seen.faults, 1);
	ck_assert_uint_eq(seen.fault.endpoint, 3);
	ck_assert_uint_eq(seen.fault.at, 0x1234);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/viommu");
	TCase *t = tcase_create("viommu");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, topology_of_the_v2_form);
	tcase_add_test(t, topology_of_the_native_form);
	tcase_add_test(t, iommu_without_endpoints_describes_none);
	tcase_add_test(t, topology_only_cycles_leave_nothing_behind);
	tcase_add_test(t, device_that_a_careful_guest_would_refuse_is_not_made);
	tcase_add_test(t, two_devices_share_nothing);
	tcase_add_test(t, watcher_sees_requests_and_faults);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

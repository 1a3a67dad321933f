/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tests/conformance/conf.h"

#include <stdlib.h>

struct vrig v;

static void setup(void)
{
	vrig_init(&v, IOMMU_TOPOLOGY_NONE, NULL);
	vrig_up(&v, VRIG_FEATURES);
}

static void teardown(void)
{
	vrig_fini(&v);
}

void conf_anew(enum iommu_topology_form form, const struct iommu_config *config,
	       void (*prepare)(struct rig *r))
{
	vrig_fini(&v);
	vrig_init_prepared(&v, form, config, prepare);
}

void conf_restart(uint64_t features)
{
	vrig_reset(&v);
	vrig_up(&v, features);
}

bool conf_can(unsigned ep, uint64_t page)
{
	return rig_can(&v.rig, ep, page * PAGE, DMA_READ);
}

bool conf_may(unsigned ep, iova_t at, enum dma_access access)
{
	return rig_can(&v.rig, ep, at, access);
}

int conf_send(const void *request, uint32_t readable)
{
	uint8_t tail[4];
	uint32_t len = vrig_send(&v, request, readable, tail, sizeof(tail));

	if (len == 0)
		return -1;
	ck_assert_uint_eq(len, 4);
	return tail[0];
}

int conf_main(const char *name, void (*add)(TCase *t))
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	add(t);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

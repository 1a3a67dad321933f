/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Whether the machine gets an IOMMU, in which form, and why.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "boot/linux.h"
#include "core/err.h"
#include "vmm/machine/mach.h"
#include "vmm/machine/machine.h"

static void decide(struct mach *m, bool on, const char *why)
{
	m->config.iommu.on = on ? MACH_ON : MACH_OFF;
	snprintf(m->iommu_reason, sizeof(m->iommu_reason), "IOMMU %s: %s",
		 on ? "on" : "off", why);
}

/* Does anything outside the device tell a stock driver about it? */
static bool described(const struct mach_config *c)
{
	return c->describe == MACH_DESCRIBE_ACPI && c->viot;
}

/* One that does not fit is refused when it is loaded; before that, gigabytes
 * would be looked through in vain. */
static bool initrd_too_large(const struct mach_config *c)
{
	struct stat st;

	return c->initrd && stat(c->initrd, &st) == 0 &&
	       (uint64_t)st.st_size > c->memory;
}

static int look_for_driver(struct mach *m, struct err *err)
{
	const struct mach_config *c = &m->config;
	const char *where = "";
	char why[128];
	int r;

	if (!c->kernel) {
		decide(m, true, "no kernel was given to look for a driver in");
		return 0;
	}
	if (!described(c)) {
		decide(m, false,
		       "without VIOT a stock driver does not find its "
		       "endpoints (--iommu on for guests that read the "
		       "topology from the device)");
		return 0;
	}
	r = boot_archive_has_driver(&(struct boot_archive){
		.data = c->archive, .len = c->archive_len});
	if (r < 0)
		return err_set(err, -r, "out of memory");
	if (r > 0) {
		decide(m, true,
		       "moat brings the guest the virtio-iommu driver");
		return 0;
	}
	if (initrd_too_large(c)) {
		decide(m, false, "the initrd is larger than the memory");
		return 0;
	}
	r = boot_find_driver(c->kernel, c->initrd, c->cache_dir, &where, err);
	if (r < 0)
		return r;
	snprintf(why, sizeof(why), "%s (%s)",
		 r ? "the guest has the virtio-iommu driver"
		   : "no virtio-iommu driver found",
		 where);
	decide(m, r > 0, why);
	return 0;
}

static enum iommu_topology_form choose_form(const struct mach_config *c)
{
	switch (c->iommu.topology) {
	case MACH_TOPOLOGY_V2:
		return IOMMU_TOPOLOGY_V2;
	case MACH_TOPOLOGY_NATIVE:
		return IOMMU_TOPOLOGY_NATIVE;
	case MACH_TOPOLOGY_NONE:
		return IOMMU_TOPOLOGY_NONE;
	case MACH_TOPOLOGY_AUTO:
		break;
	}
	return described(c) ? IOMMU_TOPOLOGY_NONE : IOMMU_TOPOLOGY_V2;
}

unsigned mach_reserved_regions(const struct mach_reserved *list,
			       struct iommu_resv_region *regions)
{
	unsigned n = 0;

	for (; list; list = list->next)
		regions[n++] = (struct iommu_resv_region){
			.kind = list->msi ? IOMMU_RESV_MSI
					  : IOMMU_RESV_RESERVED,
			.first = list->first,
			.last = list->last,
		};
	return n;
}

/* The user's, and the machine's own MSI region unless the user has one. */
static unsigned all_regions(const struct mach *m,
			    struct iommu_resv_region *regions)
{
	unsigned n = mach_reserved_regions(m->config.iommu.reserved, regions);

	for (unsigned i = 0; i < n; i++) {
		if (regions[i].kind == IOMMU_RESV_MSI)
			return n;
	}
	regions[n++] = platform_msi_region;
	return n;
}

static int make(struct mach *m, struct err *err)
{
	struct iommu_resv_region regions[MACH_RESERVED_MAX + 1];
	const struct iommu_config config = {
		.mem = &m->mem,
		/* 4 KiB, and everything larger as a hint. */
		.page_size_mask = ~UINT64_C(0xfff),
		.input_last = UINT64_MAX,
		.domain_last = UINT32_MAX,
		.bypass = m->config.iommu.bypass,
		.resv = regions,
		.nresv = all_regions(m, regions),
		.max_memory = m->config.iommu.max_memory,
	};
	int r = iommu_new(&m->iommu, &config, err);

	if (r < 0)
		err_prefix(err, "--iommu");
	return r;
}

/* A wish that cannot be fulfilled. */
static int check_wishes(const struct mach *m, struct err *err)
{
	for (unsigned i = 0; i < m->config.ndisks; i++) {
		const struct mach_disk *d = &m->config.disks[i];

		if (d->iommu == MACH_ON)
			return err_set(err, EINVAL,
				       "--disk '%s': iommu=on, but %s",
				       mach_disk_name(d), m->iommu_reason);
	}
	for (unsigned i = 0; i < m->config.nshares; i++) {
		if (m->config.shares[i].iommu == MACH_ON)
			return err_set(err, EINVAL,
				       "--fs '%s': iommu=on, but %s",
				       mach_share_name(&m->config.shares[i]),
				       m->iommu_reason);
	}
	return 0;
}

int mach_choose_iommu(struct mach *m, struct err *err)
{
	int r = 0;

	switch (m->config.iommu.on) {
	case MACH_ON:
		decide(m, true, "as asked");
		break;
	case MACH_OFF:
		decide(m, false, "as asked");
		break;
	case MACH_AUTO:
		r = look_for_driver(m, err);
		break;
	}
	if (r < 0)
		return r;
	m->form = choose_form(&m->config);
	return m->config.iommu.on == MACH_ON ? make(m, err)
					     : check_wishes(m, err);
}

const char *mach_iommu_reason(const struct mach *m)
{
	return m->iommu_reason;
}

bool mach_iommu_on(const struct mach *m)
{
	return m->iommu != NULL;
}

bool mach_iommu_stats(struct mach *m, struct iommu_stats *ret_s)
{
	if (!m->iommu)
		return false;
	iommu_get_stats(m->iommu, ret_s);
	return true;
}

bool mach_iommu_endpoint(struct mach *m, size_t n,
			 struct iommu_endpoint_state *ret_s)
{
	return m->iommu && iommu_endpoint_state(m->iommu, n, ret_s);
}

int mach_iommu_mappings(struct mach *m, uint32_t endpoint, iova_t from,
			struct iommu_mapping *ret_m, unsigned max)
{
	if (!m->iommu)
		return -ENOENT;
	return iommu_mappings(m->iommu, endpoint, from, ret_m, max);
}

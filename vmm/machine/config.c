/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/config.h"

#include <errno.h>
#include <string.h>

#include "core/err.h"

void mach_config_init(struct mach_config *c)
{
	*c = (struct mach_config){
		.cpus = 1,
		.memory = MIB(512),
		.iommu.on = MACH_AUTO,
		.iommu.topology = MACH_TOPOLOGY_AUTO,
		.iommu.console = MACH_AUTO,
		.describe = MACH_DESCRIBE_ACPI,
		.viot = true,
		.pvpanic = true,
		.console = MACH_CONSOLE_SERIAL,
		.rng = true,
		.reboot = true,
	};
}

static int check_disk(const struct mach_config *c, const struct mach_disk *d,
		      struct err *err)
{
	if (d->iommu == MACH_ON && c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL,
			       "--disk '%s': iommu=on, but --iommu is off",
			       d->path);
	if (d->id && strlen(d->id) > MACH_DISK_ID_MAX)
		return err_set(err, EINVAL,
			       "--disk '%s': id '%.40s' has more than %d bytes",
			       d->path, d->id, MACH_DISK_ID_MAX);
	return 0;
}

int mach_config_check(const struct mach_config *c, struct err *err)
{
	if (c->cpus < 1 || c->cpus > MACH_CPUS_MAX)
		return err_set(err, EINVAL, "--cpus %u: not within 1 to %u",
			       c->cpus, MACH_CPUS_MAX);
	if (c->memory < MACH_MEMORY_MIN || c->memory > MACH_MEMORY_MAX ||
	    !is_aligned(c->memory, MIB(1)))
		return err_set(err, EINVAL,
			       "--memory: %llu bytes are not whole MiB within "
			       "%llu to %llu MiB",
			       (unsigned long long)c->memory,
			       (unsigned long long)(MACH_MEMORY_MIN >> 20),
			       (unsigned long long)(MACH_MEMORY_MAX >> 20));
	if (c->ndisks > MACH_DISKS_MAX)
		return err_set(err, EINVAL, "--disk: %u disks, at most %u fit",
			       c->ndisks, MACH_DISKS_MAX);
	if (c->describe == MACH_DESCRIBE_NONE && c->cpus > 1)
		return err_set(err, EINVAL,
			       "--cpus %u: without a description "
			       "(--describe none) a guest finds one CPU only",
			       c->cpus);
	for (unsigned i = 0; i < c->ndisks; i++) {
		int r = check_disk(c, &c->disks[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

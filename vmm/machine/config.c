/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/config.h"

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

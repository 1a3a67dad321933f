/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/pvpanic_pci.h"

#include "core/bus.h"
#include "pci/host.h"

/* The ids that guests' pvpanic drivers look for. */
static const struct pci_ids ids = {
	.vendor = 0x1b36,
	.device = 0x0011,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.revision = 1,
	.class_code = 0x088000, /* system peripheral, other */
};

static const struct pci_func_ops ops;

int pvpanic_pci_init(struct pvpanic_pci *p, struct pci_host *host, int slot,
		     struct bus_region *reg, struct err *err)
{
	pthread_mutex_init(&p->lock, NULL);
	p->made = true;
	pci_func_init(&p->func, &ops, "pvpanic", &p->lock, &ids);
	pci_bar_init(&p->func, 0, 4096, false, false);
	reg->lock = &p->lock;
	pci_bar_add_region(&p->func, 0, 0, reg);
	return pci_host_attach(host, &p->func, slot, err);
}

void pvpanic_pci_fini(struct pvpanic_pci *p)
{
	if (!p->made)
		return;
	pci_func_fini(&p->func);
	pthread_mutex_destroy(&p->lock);
	p->made = false;
}

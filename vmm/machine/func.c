/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/func.h"

#include <stdio.h>

#include "core/err.h"
#include "iommu/virtio_iommu.h"
#include "virtio/device.h"
#include "virtio/mmio.h"
#include "virtio/pci.h"
#include "vmm/machine/mach.h"

struct mach_func *func_next(struct mach *m, unsigned slot, const char *name)
{
	struct mach_func *f = &m->funcs[m->nfuncs];

	*f = (struct mach_func){
		.slot = slot,
		.endpoint = m->config.test.first_id + PCI_DEVFN(slot, 0),
	};
	snprintf(f->name, sizeof(f->name), "%s", name);
	dma_init(&f->identity, &m->mem);
	f->dma = &f->identity;
	return f;
}

int func_protect(struct mach *m, struct mach_func *f, struct err *err)
{
	struct iommu_resv_region regions[MACH_RESERVED_MAX];
	int r;

	r = iommu_endpoint_add(m->iommu, f->endpoint, &f->ep, err);
	if (r < 0)
		return r;
	r = iommu_endpoint_reserve(f->ep, regions,
				   mach_reserved_regions(f->reserved, regions),
				   err);
	if (r < 0) {
		err_prefix(err, "%s", f->name);
		return r;
	}
	r = iommu_endpoint_view(f->ep, &f->dma);
	if (r < 0)
		return err_set(err, -r, "out of memory");
	f->managed = true;
	return 0;
}

int func_manage(struct mach *m, struct mach_func *f, struct err *err)
{
	int r = func_protect(m, f, err);

	if (r < 0)
		return r;
	if (f->gsi)
		return iommu_topology_add_mmio(&m->topology, f->at, f->endpoint,
					       err);
	return iommu_topology_add_pci(&m->topology, 0, PCI_DEVFN(f->slot, 0),
				      f->endpoint, err);
}

struct virtio_dev_env func_env(struct mach *m, struct mach_func *f)
{
	return (struct virtio_dev_env){
		.name = f->name,
		.dma = f->dma,
		.loop = m->loop,
		.access_platform = f->managed,
	};
}

struct mach_func *func_next_mmio(struct mach *m, const char *name)
{
	struct mach_func *f = func_next(m, 0, name);

	f->number = m->nmmio++;
	f->endpoint = m->config.test.first_id + MACH_MMIO_ENDPOINT + f->number;
	platform_mmio_place(f->number, &f->at, &f->gsi);
	return f;
}

int func_plug_mmio(struct mach *m, struct mach_func *f, struct err *err)
{
	struct irq_line *irq = NULL;
	int r;

	m->nfuncs++; /* from here on mach_remove_functions() frees it */
	if (!(m->flags & MACH_PLAN_ONLY)) {
		irqchip_line_init(&f->irq, &m->vm.irqchip, f->gsi);
		irq = &f->irq.line;
	}
	vmmio_init(&f->mmio, f->dev, f->at, irq, m->doorbells);
	r = bus_attach(&m->mmio, &f->mmio.region);
	return r < 0 ? err_errno(err, -r, "%s: no place at %#llx", f->name,
				 (unsigned long long)f->at)
		     : 0;
}

int func_plug(struct mach *m, struct mach_func *f, struct err *err)
{
	int r;

	m->nfuncs++; /* from here on mach_remove_functions() frees it */
	r = vpci_new(&f->pci, f->dev, m->msi, m->doorbells, err);
	if (r < 0)
		return r;
	return pci_host_attach(&m->host, vpci_func(f->pci), (int)f->slot, err);
}

bool func_behind_iommu(const struct mach *m, enum mach_switch wish,
		       bool by_default)
{
	if (!m->iommu)
		return false;
	return wish == MACH_AUTO ? by_default : wish == MACH_ON;
}

int func_own_loop(struct mach_func *f, struct virtio_dev_env *env,
		  struct err *err)
{
	int r = own_loops_init(&f->loops, 1, err);

	if (r == 0)
		env->loop = f->loops.loops[0];
	return r;
}

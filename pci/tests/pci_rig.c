/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci/tests/pci_rig.h"

#include <assert.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "pci/msix.h"
#include "pci/regs.h"

static uint64_t regs_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct rig_regs *regs = container_of(r, struct rig_regs, region);

	regs->reads++;
	return le_load(regs->bytes + off, size);
}

static void regs_write(struct bus_region *r, uint64_t off, unsigned size,
		       uint64_t val)
{
	struct rig_regs *regs = container_of(r, struct rig_regs, region);

	regs->writes++;
	le_store(regs->bytes + off, size, val);
}

static const struct bus_ops regs_ops = {
	.read = regs_read,
	.write = regs_write,
};

static struct rig_func *to_rig(struct pci_func *f)
{
	return container_of(f, struct rig_func, func);
}

static void config_written(struct pci_func *f, unsigned off, unsigned size)
{
	assert(off + size <= PCI_CONFIG_SIZE);
	to_rig(f)->config_writes++;
}

static void config_reading(struct pci_func *f, unsigned off, unsigned size)
{
	assert(off + size <= PCI_CONFIG_SIZE);
	to_rig(f)->config_reads++;
}

static void bar_mapped(struct pci_func *f, unsigned bar)
{
	struct rig_func *rf = to_rig(f);

	assert(f->bars[bar].mapped);
	assert(rf->mapped[bar] == rf->unmapped[bar]);
	rf->mapped[bar]++;
	rf->mapped_at[bar] = f->bars[bar].base;
}

static void bar_unmapped(struct pci_func *f, unsigned bar)
{
	struct rig_func *rf = to_rig(f);

	assert(!f->bars[bar].mapped);
	assert(f->bars[bar].base == rf->mapped_at[bar]);
	rf->unmapped[bar]++;
	assert(rf->mapped[bar] == rf->unmapped[bar]);
}

static void bus_master_changed(struct pci_func *f)
{
	assert(f->bus_master == pci_func_bus_master(f));
	to_rig(f)->master_changes++;
}

static const struct pci_func_ops func_ops = {
	.config_written = config_written,
	.config_reading = config_reading,
	.bar_mapped = bar_mapped,
	.bar_unmapped = bar_unmapped,
	.bus_master_changed = bus_master_changed,
};

static void regs_init(struct rig_func *rf, struct rig_regs *regs)
{
	regs->region = (struct bus_region){
		.ops = &regs_ops,
		.name = rf->func.name,
		.size = RIG_REGS_SIZE,
		.lock = &rf->lock,
	};
}

void rig_func_init(struct rig_func *rf, const char *name, unsigned vectors,
		   struct msi_sink *sink)
{
	static const struct pci_ids ids = {
		.vendor = 0x1234,
		.device = 0x5678,
		.subsystem_vendor = 0x9abc,
		.subsystem = 0xdef0,
		.revision = 7,
		.class_code = 0x0a0b0c,
	};
	int rc;

	memset(rf, 0, sizeof(*rf));
	pthread_mutex_init(&rf->lock, NULL);
	pci_func_init(&rf->func, &func_ops, name, &rf->lock, &ids);
	regs_init(rf, &rf->regs0);
	regs_init(rf, &rf->regs2);
	pci_bar_init(&rf->func, 0, RIG_BAR0_SIZE, true, true);
	pci_bar_init(&rf->func, 2, RIG_BAR2_SIZE, false, false);
	pci_bar_add_region(&rf->func, 0, 0, &rf->regs0.region);
	pci_bar_add_region(&rf->func, 2, RIG_BAR2_REGS, &rf->regs2.region);
	rc = pci_cap_add(&rf->func, PCI_CAP_ID_VENDOR, 20);
	assert(rc > 0);
	rf->cap = (unsigned)rc;
	rc = vectors ? msix_new(&rf->func, vectors, 0, RIG_TABLE, RIG_PBA, sink,
				NULL)
		     : 0;
	assert(!rc);
}

void rig_func_fini(struct rig_func *rf)
{
	pci_func_fini(&rf->func);
	pthread_mutex_destroy(&rf->lock);
}

void rig_init(struct rig *r, struct bus_region *reset)
{
	static const char *const names[RIG_FUNCS] = {"one", "two", "three"};
	struct pci_host_config config = {
		.ecam_base = RIG_ECAM,
		.ports = true,
		.reset = reset,
		.mmio32 = {RIG_MMIO32, RIG_MMIO32 + MIB(16) - 1},
		.mmio64 = {RIG_MMIO64, RIG_MMIO64 + GIB(1) - 1},
		.closed = r->closed,
		.nclosed = ARRAY_SIZE(r->closed),
	};
	int rc;

	r->closed[0] = (struct range){0, RIG_RAM_LAST};
	r->closed[1] = (struct range){RIG_LAPIC, RIG_LAPIC + 0xfff};
	bus_init(&r->mmio);
	bus_init(&r->pio);
	fake_msi_init(&r->msi);
	rc = pci_host_init(&r->host, &r->mmio, &r->pio, &config, NULL);
	assert(!rc);
	for (unsigned i = 0; i < RIG_FUNCS; i++) {
		rig_func_init(&r->funcs[i], names[i], RIG_VECTORS,
			      &r->msi.sink);
		rc = pci_host_attach(&r->host, &r->funcs[i].func, -1, NULL);
		assert(!rc);
	}
}

void rig_fini(struct rig *r)
{
	for (unsigned i = 0; i < RIG_FUNCS; i++)
		rig_func_fini(&r->funcs[i]);
	pci_host_fini(&r->host);
	fake_msi_fini(&r->msi);
	bus_fini(&r->pio);
	bus_fini(&r->mmio);
}

static uint64_t ecam_at(unsigned fn, unsigned off)
{
	return RIG_ECAM + ((uint64_t)PCI_DEVFN(fn + 1, 0) << 12) + off;
}

uint64_t rig_read(struct rig *r, unsigned fn, unsigned off, unsigned size)
{
	return bus_read(&r->mmio, ecam_at(fn, off), size);
}

void rig_write(struct rig *r, unsigned fn, unsigned off, unsigned size,
	       uint64_t val)
{
	(void)bus_write(&r->mmio, ecam_at(fn, off), size, val);
}

void rig_command(struct rig *r, unsigned fn, uint16_t set, uint16_t clear)
{
	uint64_t command = rig_read(r, fn, PCI_COMMAND, 2);

	rig_write(r, fn, PCI_COMMAND, 2, (command | set) & ~(uint64_t)clear);
}

void rig_move_bar0(struct rig *r, unsigned fn, uint64_t to)
{
	rig_command(r, fn, 0, PCI_COMMAND_MEMORY);
	rig_write(r, fn, PCI_BAR0, 4, to & 0xffffffff);
	rig_write(r, fn, PCI_BAR0 + 4, 4, to >> 32);
	rig_command(r, fn, PCI_COMMAND_MEMORY, 0);
}

bool rig_answers(struct rig *r, unsigned fn, uint64_t addr)
{
	struct rig_func *rf = &r->funcs[fn];
	unsigned before = rf->regs0.reads + rf->regs2.reads;

	(void)bus_read(&r->mmio, addr, 4);
	return rf->regs0.reads + rf->regs2.reads == before + 1;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <assert.h>

#include "core/bits.h"
#include "core/le.h"
#include "pci/func.h"
#include "pci/host.h"
#include "pci/regs.h"

static unsigned bar_register(unsigned bar)
{
	return PCI_BAR0 + 4 * bar;
}

void pci_bar_init(struct pci_func *f, unsigned bar, uint64_t size, bool is_64,
		  bool prefetch)
{
	unsigned flags =
		(is_64 ? PCI_BAR_64 : 0u) | (prefetch ? PCI_BAR_PREFETCH : 0u);

	assert(!f->host);
	assert(bar + is_64 < PCI_BARS_MAX);
	assert(is_pow2(size) && size >= 16);
	assert(is_64 || size <= GIB(2));
	f->bars[bar] = (struct pci_bar){
		.size = size, .is_64 = is_64, .prefetch = prefetch};
	/* The mask makes sizing fall out: ones come back as ~(size - 1). */
	pci_config_set(&f->cfg, bar_register(bar), is_64 ? 8 : 4, flags,
		       ~(size - 1));
}

void pci_bar_add_region(struct pci_func *f, unsigned bar, uint64_t offset,
			struct bus_region *r)
{
	struct pci_bar *b = &f->bars[bar];

	assert(!f->host && b->nregions < PCI_BAR_REGIONS_MAX);
	assert(r->size && r->size <= b->size && offset <= b->size - r->size);
	b->regions[b->nregions] = r;
	b->offsets[b->nregions] = offset;
	b->nregions++;
}

uint64_t pci_bar_address(const struct pci_func *f, unsigned bar)
{
	const struct pci_bar *b = &f->bars[bar];
	const uint8_t *reg = f->cfg.bytes + bar_register(bar);

	return le_load(reg, b->is_64 ? 8 : 4) & ~(b->size - 1);
}

/*
 * Accesses from within configuration space.
 */

static struct bus_region *bar_region_at(struct pci_func *f, unsigned bar,
					uint64_t *off, unsigned size)
{
	if (bar >= PCI_BARS_MAX)
		return NULL;
	for (unsigned i = 0; i < f->bars[bar].nregions; i++) {
		struct bus_region *r = f->bars[bar].regions[i];
		uint64_t at = *off - f->bars[bar].offsets[i];

		/* Below the region @at has wrapped and is out of it, too. */
		if (at < r->size && size <= r->size - at) {
			*off = at;
			return r;
		}
	}
	return NULL;
}

uint64_t pci_bar_read(struct pci_func *f, unsigned bar, uint64_t off,
		      unsigned size)
{
	struct bus_region *r = bar_region_at(f, bar, &off, size);

	return r ? r->ops->read(r, off, size) : UINT64_MAX >> (64 - 8 * size);
}

void pci_bar_write(struct pci_func *f, unsigned bar, uint64_t off,
		   unsigned size, uint64_t val)
{
	struct bus_region *r = bar_region_at(f, bar, &off, size);

	if (r)
		r->ops->write(r, off, size, val);
}

/*
 * Mapping.
 */

static bool bar_wanted(const struct pci_func *f, unsigned bar)
{
	return f->host && f->bars[bar].size && pci_func_memory_enabled(f);
}

static void bar_detach_regions(struct pci_func *f, struct pci_bar *b)
{
	for (unsigned i = 0; i < b->nregions; i++)
		bus_detach(f->host->mmio, b->regions[i]);
}

static int bar_attach_regions(struct pci_func *f, struct pci_bar *b)
{
	for (unsigned i = 0; i < b->nregions; i++) {
		int rc;

		b->regions[i]->base = b->base + b->offsets[i];
		rc = bus_attach(f->host->mmio, b->regions[i]);
		if (rc) {
			bar_detach_regions(f, b);
			return rc;
		}
	}
	return 0;
}

static void bar_unmap(struct pci_func *f, unsigned bar)
{
	struct pci_bar *b = &f->bars[bar];

	b->mapped = false;
	bar_detach_regions(f, b);
	pci_host_unplace(f->host, b->base, b->size);
	if (f->ops->bar_unmapped)
		f->ops->bar_unmapped(f, bar);
}

static void bar_map(struct pci_func *f, unsigned bar)
{
	struct pci_bar *b = &f->bars[bar];
	uint64_t base = pci_bar_address(f, bar);

	if (pci_host_place(f->host, base, b->size))
		return;
	b->base = base;
	if (bar_attach_regions(f, b)) {
		pci_host_unplace(f->host, base, b->size);
		return;
	}
	b->mapped = true;
	if (f->ops->bar_mapped)
		f->ops->bar_mapped(f, bar);
}

/*
 * First all that leaves, then all that comes: two BARs of one function may
 * change places in one go.  Callbacks may drop the lock, so nothing is
 * remembered across them.
 */
void pci_bars_sync(struct pci_func *f)
{
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		struct pci_bar *b = &f->bars[i];

		if (b->mapped &&
		    (!bar_wanted(f, i) || b->base != pci_bar_address(f, i)))
			bar_unmap(f, i);
	}
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		if (bar_wanted(f, i) && !f->bars[i].mapped)
			bar_map(f, i);
	}
}

void pci_bars_unmap(struct pci_func *f)
{
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		if (f->bars[i].mapped)
			bar_unmap(f, i);
	}
}

bool pci_bars_waiting(const struct pci_func *f)
{
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		if (bar_wanted(f, i) && !f->bars[i].mapped)
			return true;
	}
	return false;
}

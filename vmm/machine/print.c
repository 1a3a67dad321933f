/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a machine looks like, for people.
 */
#include <inttypes.h>
#include <stdio.h>

#include "pci/func.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "vmm/machine/mach.h"

static void print_bars(const struct pci_func *f, FILE *out)
{
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		const struct pci_bar *b = &f->bars[i];
		uint64_t at = b->size ? pci_bar_address(f, i) : 0;

		if (b->size)
			fprintf(out,
				"         BAR %u  %#" PRIx64 "-%#" PRIx64
				"  (%" PRIu64 " KiB, %s-bit)\n",
				i, at, at + (b->size - 1), b->size >> 10,
				b->is_64 ? "64" : "32");
	}
}

static const char *form_text(enum iommu_topology_form form)
{
	switch (form) {
	case IOMMU_TOPOLOGY_NONE:
		return "described by VIOT or the device tree";
	case IOMMU_TOPOLOGY_V2:
		return "describes its endpoints itself (v2)";
	case IOMMU_TOPOLOGY_NATIVE:
		return "describes its endpoints itself (native)";
	}
	return "";
}

static void print_func(const struct mach *m, const struct mach_func *f,
		       FILE *out)
{
	if (f->pci)
		fprintf(out, "00:%02x.0  ", f->slot);
	else
		fprintf(out, "mmio %-2u  ", f->number);
	fprintf(out, "%-14s %-8s ", f->dev->ops->name, f->name);
	if (f->dev->ops->id == VIRTIO_ID_IOMMU)
		fprintf(out, "the IOMMU; %s\n", form_text(m->form));
	else if (f->managed)
		fprintf(out, "endpoint %u, managed by the IOMMU\n",
			f->endpoint);
	else
		fprintf(out, "outside the IOMMU\n");
	if (f->pci)
		print_bars(vpci_func(f->pci), out);
	else
		fprintf(out,
			"         %#" PRIx64 "-%#" PRIx64 "  interrupt %u\n",
			f->at, f->at + (VMMIO_SIZE - 1), f->gsi);
}

void mach_print_topology(struct mach *m, FILE *out)
{
	fprintf(out, "%s\n", m->iommu_reason);
	fprintf(out, "00:00.0  host bridge\n");
	for (unsigned slot = 1; slot < PCI_SLOTS_MAX; slot++) {
		for (unsigned i = 0; i < m->nfuncs; i++) {
			if (m->funcs[i].slot == slot)
				print_func(m, &m->funcs[i], out);
		}
	}
	for (unsigned i = 0; i < m->nfuncs; i++) {
		if (!m->funcs[i].pci)
			print_func(m, &m->funcs[i], out);
	}
}

void mach_print_exits(struct mach *m, FILE *out)
{
	struct vcpu_exits sum = {0};

	for (unsigned i = 0; i < m->config.cpus; i++) {
		const struct vcpu_exits *e = &m->vcpus[i].exits;

		sum.pio_in += e->pio_in;
		sum.pio_out += e->pio_out;
		sum.mmio_read += e->mmio_read;
		sum.mmio_write += e->mmio_write;
		sum.interrupted += e->interrupted;
		sum.other += e->other;
	}
	fprintf(out,
		"pio-in %" PRIu64 "\npio-out %" PRIu64 "\nmmio-read %" PRIu64
		"\nmmio-write %" PRIu64 "\ninterrupted %" PRIu64
		"\nother %" PRIu64 "\n",
		sum.pio_in, sum.pio_out, sum.mmio_read, sum.mmio_write,
		sum.interrupted, sum.other);
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a guest can do to PCI: sequences of configuration accesses by both
 * ways, BAR moves, MSI-X table accesses, interrupts in between.
 *
 * The input is a list of 12-byte steps: kind, function, offset (2), value
 * (8).  After each the invariants hold that other parts build on.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "pci/msix.h"
#include "pci/tests/pci_rig.h"

#define STEP	  12
#define STEPS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct rig rig;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

/* Something that may keep a BAR away is there. */
static bool is_taken(struct range r)
{
	const struct range ecam = {RIG_ECAM, RIG_ECAM + PCI_ECAM_SIZE - 1};

	return range_overlaps(r, ecam) || range_overlaps(r, rig.closed[0]) ||
	       range_overlaps(r, rig.closed[1]) ||
	       range_set_overlaps(&rig.host.placed, r.first, r.last);
}

static void check_bar(const struct pci_func *f, unsigned i)
{
	const struct pci_bar *b = &f->bars[i];
	uint64_t at = pci_bar_address(f, i);

	if (!b->mapped) {
		assert(!b->size || !pci_func_memory_enabled(f) ||
		       is_taken((struct range){at, at + (b->size - 1)}));
		return;
	}
	assert(pci_func_memory_enabled(f));
	assert(b->base == at);
	assert(b->base > RIG_RAM_LAST);
	for (unsigned k = 0; k < b->nregions; k++)
		assert(b->regions[k]->attached &&
		       b->regions[k]->base == b->base + b->offsets[k]);
}

static void check(void)
{
	size_t mapped = 0;

	for (unsigned fn = 0; fn < RIG_FUNCS; fn++) {
		const struct pci_func *f = &rig.funcs[fn].func;

		for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
			check_bar(f, i);
			mapped += f->bars[i].mapped;
		}
		assert(f->bus_master == pci_func_bus_master(f));
	}
	assert(mapped == rig.host.placed.n);
}

/* Addresses that are likely to hit something. */
static uint64_t place(uint64_t val)
{
	static const uint64_t bases[] = {
		RIG_MMIO32, RIG_MMIO64, RIG_ECAM,	  RIG_LAPIC,
		0,	    UINT64_MAX, RIG_RAM_LAST + 1, 0x100000000};

	return bases[val % ARRAY_SIZE(bases)] + (val >> 8 & 0xfffff);
}

static void step(const uint8_t *s)
{
	unsigned kind = s[0] & 15, size = 1u << (s[0] >> 4 & 3);
	unsigned fn = s[1] % RIG_FUNCS;
	unsigned off = le16_load(s + 2);
	uint64_t val = le64_load(s + 4);
	struct pci_func *f = &rig.funcs[fn].func;

	switch (kind) {
	case 0:
		rig_write(&rig, fn, off % PCI_CONFIG_SIZE, size, val);
		break;
	case 1:
		rig_write(&rig, fn, off % 128, size, val);
		break;
	case 2:
		(void)rig_read(&rig, fn, off % PCI_CONFIG_SIZE, size);
		break;
	case 3:
		(void)bus_write(&rig.pio, 0xcf8 + off % 8, size, val);
		break;
	case 4:
		(void)bus_read(&rig.pio, 0xcf8 + off % 8, size);
		break;
	case 5:
		rig_move_bar0(&rig, fn, place(val));
		break;
	case 6:
		rig_write(&rig, fn, 0x10 + off % 3 * 4, 8, place(val));
		break;
	case 7:
		rig_command(&rig, fn, val & 6, off & 6);
		break;
	case 8:
		pci_bar_write(f, 0, RIG_TABLE + off % 64, size, val);
		break;
	case 9:
		pci_bar_write(f, s[1], off, size, val);
		break;
	case 10:
		(void)pci_bar_read(f, s[1], val, size);
		break;
	case 11:
		msix_raise(f->msix, off);
		break;
	case 12:
		rig_write(&rig, fn, rig.funcs[fn].cap + 22, 2, val);
		break;
	case 13:
		rig.msi.connect_error = val & 1 ? -28 : 0;
		break;
	case 14:
		(void)bus_read(&rig.mmio, place(val), size);
		break;
	default:
		pci_host_reset(&rig.host);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	log_set_sink(drop_line);
	rig_init(&rig, NULL);
	for (size_t i = 0; i < STEPS_MAX && (i + 1) * STEP <= len; i++) {
		step(data + i * STEP);
		check();
	}
	rig_fini(&rig);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/spoil.h"

#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"
#include "core/log.h"
#include "iommu/viommu_config.h"
#include "pci/func.h"
#include "pci/regs.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "virtio/pci_cap.h"
#include "vmm/machine/mach.h"

enum place {
	NOWHERE,
	DESCRIPTOR, /* offset 0, num_items 4, item_length 8 */
	ITEM,	    /* the first: type 0, first 4, last 6, endpoint 8 */
	SECOND,	    /* the second item */
	CAPABILITY, /* of the structure, in configuration space */
};

struct poke {
	enum place place;
	uint8_t off, size;
	uint32_t val;
};

#define POKES_MAX 3

/* The kinds, by what a careful guest's parser calls them. */
static const struct {
	const char *name;
	struct poke pokes[POKES_MAX];
} kinds[] = {
	{"offset-early", {{DESCRIPTOR, 0, 4, 40}}},
	{"offset-odd", {{DESCRIPTOR, 0, 4, 68}}},
	{"offset-outside", {{DESCRIPTOR, 0, 4, 0xfffffff8}}},
	{"length-small", {{DESCRIPTOR, 8, 4, 8}}},
	{"length-odd", {{DESCRIPTOR, 8, 4, 18}}},
	{"length-huge", {{DESCRIPTOR, 8, 4, 0xfffffffc}}},
	/* times 16 is 16, in 32 bits */
	{"items-many", {{DESCRIPTOR, 4, 4, 0x10000001}}},
	{"items-outside", {{DESCRIPTOR, 4, 4, 200}}},
	{"item-cut", {{DESCRIPTOR, 8, 4, 12}, {ITEM, 0, 2, 2}}},
	{"item-reverse", {{ITEM, 4, 2, 0xffff}, {ITEM, 6, 2, 0}}},
	{"item-wraps", {{ITEM, 6, 2, 0xffff}, {ITEM, 8, 4, 0xffffffff}}},
	{"item-self",
	 {{ITEM, 4, 2, PCI_DEVFN(SLOT_IOMMU, 0)},
	  {ITEM, 6, 2, PCI_DEVFN(SLOT_IOMMU, 0)}}},
	{"place-twice", {{ITEM, 6, 2, 0xff}, {SECOND, 8, 4, 0x10000}}},
	{"id-twice", {{ITEM, 8, 4, 1}, {SECOND, 8, 4, 1}}},
	{"structure-short", {{CAPABILITY, VPCI_CAP_LENGTH, 4, 56}}},
	{"structure-outside", {{CAPABILITY, VPCI_CAP_LENGTH, 4, 0xfffffff0}}},
};

static uint8_t *find_capability(struct pci_config *c)
{
	unsigned at = c->bytes[0x34];

	for (; at; at = c->bytes[at + 1])
		if (c->bytes[at] == PCI_CAP_ID_VENDOR &&
		    c->bytes[at + VPCI_CAP_TYPE] == VPCI_CFG_DEVICE)
			return c->bytes + at;
	return NULL;
}

static uint8_t *find_place(const struct mach *m, struct mach_func *f,
			   enum place place)
{
	uint8_t *config = f->dev->config;
	unsigned descriptor = m->form == IOMMU_TOPOLOGY_V2
				      ? VIOMMU_CONFIG_TOPO_V2
				      : VIOMMU_CONFIG_TOPO_NATIVE;

	if (m->form == IOMMU_TOPOLOGY_NONE ||
	    (place == ITEM && m->topology.n < 1) ||
	    (place == SECOND && m->topology.n < 2))
		return NULL;
	switch (place) {
	case NOWHERE:
		break;
	case DESCRIPTOR:
		return config + descriptor;
	case ITEM:
		return config + VIOMMU_CONFIG_ITEMS;
	case SECOND:
		return config + VIOMMU_CONFIG_ITEMS + IOMMU_TOPOLOGY_STRIDE;
	case CAPABILITY:
		return find_capability(&vpci_func(f->pci)->cfg);
	}
	return NULL;
}

int spoil_topology(const struct mach *m, struct mach_func *iommu,
		   const char *kind, struct err *err)
{
	size_t k = 0;

	while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k].name, kind) != 0)
		k++;
	if (k == ARRAY_SIZE(kinds))
		return err_set(err, EINVAL,
			       "no wrong topology '%.40s' is known", kind);
	for (unsigned n = 0; n < POKES_MAX; n++) {
		const struct poke *p = &kinds[k].pokes[n];
		uint8_t *at = find_place(m, iommu, p->place);

		if (p->place == NOWHERE)
			break;
		if (!at)
			return err_set(err, EINVAL,
				       "the topology is too small to be wrong "
				       "in the way of '%.40s'",
				       kind);
		le_store(at + p->off, p->size, p->val);
	}
	log_warn("the IOMMU's topology is wrong on purpose: %s", kind);
	return 0;
}

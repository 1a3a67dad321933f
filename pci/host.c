/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci/host.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"
#include "pci/ids.h"
#include "pci/regs.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc

/*
 * Places: which part of the memory space belongs to which BAR.
 */

static bool place_closed(const struct pci_host *h, struct range r)
{
	for (unsigned i = 0; i < h->config.nclosed; i++) {
		if (range_overlaps(h->config.closed[i], r))
			return true;
	}
	return false;
}

int pci_host_place(struct pci_host *h, uint64_t base, uint64_t size)
{
	/* BARs are aligned to their size, so this does not wrap. */
	struct range r = {base, base + (size - 1)};
	int rc;

	if (place_closed(h, r))
		return -EACCES;
	pthread_mutex_lock(&h->place_lock);
	rc = range_set_add(&h->placed, r.first, r.last);
	pthread_mutex_unlock(&h->place_lock);
	return rc;
}

void pci_host_unplace(struct pci_host *h, uint64_t base, uint64_t size)
{
	pthread_mutex_lock(&h->place_lock);
	(void)range_set_remove(&h->placed, base, base + (size - 1));
	h->freed = true;
	pthread_mutex_unlock(&h->place_lock);
}

static bool host_take_freed(struct pci_host *h)
{
	bool freed;

	pthread_mutex_lock(&h->place_lock);
	freed = h->freed;
	h->freed = false;
	pthread_mutex_unlock(&h->place_lock);
	return freed;
}

/*
 * A guest that moves BARs of two functions may put one where the other still
 * answers: it moves that one next, and expects both to answer in the end.
 * So whenever a place has become free, BARs without one are tried again.
 * Holds no lock but that of one function at a time.
 */
void pci_host_settle(struct pci_host *h)
{
	if (!host_take_freed(h))
		return;
	for (unsigned i = 0; i < PCI_SLOTS_MAX; i++) {
		struct pci_func *f = h->slots[i];

		if (!f)
			continue;
		pthread_mutex_lock(f->lock);
		if (pci_bars_waiting(f))
			pci_bars_sync(f);
		pthread_mutex_unlock(f->lock);
	}
}

/*
 * Set-up.
 */

static const struct pci_func_ops bridge_ops = {0};

static const struct pci_ids bridge_ids = {
	.vendor = PCI_VENDOR_GENERIC_BRIDGE,
	.device = PCI_DEVICE_GENERIC_BRIDGE,
	.class_code = PCI_CLASS_HOST_BRIDGE,
};

static void host_add_bridge(struct pci_host *h)
{
	pthread_mutex_init(&h->bridge_lock, NULL);
	pci_func_init(&h->bridge, &bridge_ops, "pci", &h->bridge_lock,
		      &bridge_ids);
	memcpy(h->bridge.power_on, h->bridge.cfg.bytes, PCI_CONFIG_SIZE);
	h->bridge.host = h;
	h->slots[0] = &h->bridge;
}

static int host_attach_ecam(struct pci_host *h, struct err *err)
{
	int rc;

	if (!is_aligned(h->config.ecam_base, PCI_ECAM_SIZE))
		return err_set(err, EINVAL, "PCI ECAM is not 1 MiB aligned");
	h->ecam = (struct bus_region){
		.ops = &pci_ecam_ops,
		.name = "pci-ecam",
		.base = h->config.ecam_base,
		.size = PCI_ECAM_SIZE,
	};
	rc = bus_attach(h->mmio, &h->ecam);
	if (rc)
		return err_errno(err, -rc, "PCI ECAM at %#llx",
				 (unsigned long long)h->ecam.base);
	return 0;
}

static int host_attach_ports(struct pci_host *h, struct err *err)
{
	int rc;

	h->address_port = (struct bus_region){
		.ops = &pci_address_ops,
		.name = "pci-address",
		.base = ADDRESS_PORT,
		.size = 4,
	};
	h->data_port = (struct bus_region){
		.ops = &pci_data_ops,
		.name = "pci-data",
		.base = DATA_PORT,
		.size = 4,
	};
	rc = bus_attach(h->pio, &h->address_port);
	if (!rc)
		rc = bus_attach(h->pio, &h->data_port);
	if (rc)
		return err_errno(err, -rc, "PCI ports 0xcf8-0xcff");
	return 0;
}

int pci_host_init(struct pci_host *h, struct bus *mmio, struct bus *pio,
		  const struct pci_host_config *config, struct err *err)
{
	int rc = 0;

	memset(h, 0, sizeof(*h)); /* too large for a compound literal */
	h->mmio = mmio;
	h->pio = pio;
	h->config = *config;
	pthread_mutex_init(&h->address_lock, NULL);
	pthread_mutex_init(&h->place_lock, NULL);
	range_set_init(&h->assigned);
	range_set_init(&h->placed);
	host_add_bridge(h);
	if (config->ecam_base)
		rc = host_attach_ecam(h, err);
	if (!rc && config->ports) {
		assert(pio);
		rc = host_attach_ports(h, err);
	}
	if (rc)
		pci_host_fini(h);
	return rc;
}

void pci_host_fini(struct pci_host *h)
{
	if (!h->mmio)
		return;
	bus_detach(h->mmio, &h->ecam);
	if (h->pio) {
		bus_detach(h->pio, &h->address_port);
		bus_detach(h->pio, &h->data_port);
	}
	pci_func_fini(&h->bridge);
	range_set_fini(&h->placed);
	range_set_fini(&h->assigned);
	pthread_mutex_destroy(&h->bridge_lock);
	pthread_mutex_destroy(&h->place_lock);
	pthread_mutex_destroy(&h->address_lock);
	h->mmio = NULL;
}

/*
 * Functions come and go.
 */

static int host_pick_slot(const struct pci_host *h, const struct pci_func *f,
			  int slot, struct err *err)
{
	if (slot >= 0) {
		if (slot == 0 || slot >= PCI_SLOTS_MAX)
			return err_set(err, EINVAL, "%s: no PCI slot %d",
				       f->name, slot);
		if (h->slots[slot])
			return err_set(err, EBUSY, "%s: PCI slot %d has %s",
				       f->name, slot, h->slots[slot]->name);
		return slot;
	}
	for (slot = 1; slot < PCI_SLOTS_MAX; slot++) {
		if (!h->slots[slot])
			return slot;
	}
	return err_set(err, ENOSPC, "%s: all PCI slots are taken", f->name);
}

static int host_assign_bar(struct pci_host *h, struct pci_func *f, unsigned bar,
			   struct err *err)
{
	struct pci_bar *b = &f->bars[bar];
	uint8_t *reg = f->cfg.bytes + PCI_BAR0 + (size_t)4 * bar;
	uint64_t base;
	int rc = -ENOSPC;

	if (b->is_64)
		rc = range_set_alloc(&h->assigned, h->config.mmio64, b->size,
				     b->size, &base);
	if (rc == -ENOSPC)
		rc = range_set_alloc(&h->assigned, h->config.mmio32, b->size,
				     b->size, &base);
	if (rc)
		return err_errno(err, -rc, "%s: PCI BAR %u of %#llx bytes",
				 f->name, bar, (unsigned long long)b->size);
	if (b->is_64)
		le64_store(reg, base | (le64_load(reg) & 0xf));
	else
		le32_store(reg, (uint32_t)base | (le32_load(reg) & 0xf));
	return 0;
}

static int host_assign(struct pci_host *h, struct pci_func *f, struct err *err)
{
	int rc;

	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		if (!f->bars[i].size)
			continue;
		rc = host_assign_bar(h, f, i, err);
		if (rc)
			return rc;
	}
	f->cfg.bytes[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
	pci_bars_sync(f);
	if (pci_bars_waiting(f))
		return err_set(err, ENOSPC, "%s: no room on the memory bus",
			       f->name);
	return 0;
}

int pci_host_attach(struct pci_host *h, struct pci_func *f, int slot,
		    struct err *err)
{
	int rc = host_pick_slot(h, f, slot, err);

	if (rc < 0)
		return rc;
	slot = rc;
	pthread_mutex_lock(f->lock);
	f->host = h;
	f->devfn = PCI_DEVFN(slot, 0);
	h->slots[slot] = f;
	rc = host_assign(h, f, err);
	memcpy(f->power_on, f->cfg.bytes, PCI_CONFIG_SIZE);
	if (rc)
		pci_host_detach(h, f);
	pthread_mutex_unlock(f->lock);
	return rc;
}

void pci_host_detach(struct pci_host *h, struct pci_func *f)
{
	pci_bars_unmap(f);
	memcpy(f->cfg.bytes, f->power_on, PCI_CONFIG_SIZE);
	for (unsigned i = 0; i < PCI_BARS_MAX; i++) {
		uint64_t base = pci_bar_address(f, i);

		if (f->bars[i].size)
			(void)range_set_remove(&h->assigned, base,
					       base + (f->bars[i].size - 1));
	}
	h->slots[f->devfn >> 3] = NULL;
	f->host = NULL;
}

void pci_host_reset(struct pci_host *h)
{
	for (unsigned i = 0; i < PCI_SLOTS_MAX; i++) {
		struct pci_func *f = h->slots[i];

		if (!f)
			continue;
		pthread_mutex_lock(f->lock);
		pci_bars_unmap(f);
		pthread_mutex_unlock(f->lock);
	}
	for (unsigned i = 0; i < PCI_SLOTS_MAX; i++) {
		struct pci_func *f = h->slots[i];

		if (!f)
			continue;
		pthread_mutex_lock(f->lock);
		pci_func_reset(f);
		pthread_mutex_unlock(f->lock);
	}
	pci_host_set_address(h, 0);
}

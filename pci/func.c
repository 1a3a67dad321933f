/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci/func.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "pci/host.h"
#include "pci/msix.h"
#include "pci/regs.h"

/* No I/O BARs, so no I/O decoding. */
#define COMMAND_WMASK                                                   \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | \
	 PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)

void pci_func_init(struct pci_func *f, const struct pci_func_ops *ops,
		   const char *name, pthread_mutex_t *lock,
		   const struct pci_ids *ids)
{
	struct pci_config *c = &f->cfg;

	memset(f, 0, sizeof(*f)); /* too large for a compound literal */
	f->ops = ops;
	f->name = name;
	f->lock = lock;
	f->next_cap_at = PCI_HEADER_END;
	pci_config_set(c, PCI_VENDOR_ID, 2, ids->vendor, 0);
	pci_config_set(c, PCI_DEVICE_ID, 2, ids->device, 0);
	pci_config_set(c, PCI_COMMAND, 2, 0, COMMAND_WMASK);
	pci_config_set_w1c(c, PCI_STATUS, 2, PCI_STATUS_ERRORS);
	pci_config_set(c, PCI_REVISION_ID, 1, ids->revision, 0);
	pci_config_set(c, PCI_CLASS_PROG, 3, ids->class_code, 0);
	pci_config_set(c, PCI_SUBSYSTEM_VENDOR, 2, ids->subsystem_vendor, 0);
	pci_config_set(c, PCI_SUBSYSTEM_ID, 2, ids->subsystem, 0);
	/* Scratch for the guest's software; nothing here acts on them. */
	pci_config_set(c, PCI_CACHE_LINE_SIZE, 1, 0, 0xff);
	pci_config_set(c, PCI_INTERRUPT_LINE, 1, 0, 0xff);
}

void pci_func_fini(struct pci_func *f)
{
	if (f->host) {
		pthread_mutex_lock(f->lock);
		pci_host_detach(f->host, f);
		pthread_mutex_unlock(f->lock);
	}
	msix_free(f->msix);
	f->msix = NULL;
}

int pci_cap_add(struct pci_func *f, uint8_t id, unsigned len)
{
	unsigned at = f->next_cap_at;
	unsigned link =
		f->last_cap ? f->last_cap + PCI_CAP_NEXT : PCI_CAPABILITIES;

	assert(len >= 2);
	if (len > PCI_CONFIG_LEGACY_SIZE - at)
		return -ENOSPC;
	pci_config_set(&f->cfg, at + PCI_CAP_ID, 1, id, 0);
	pci_config_set(&f->cfg, link, 1, at, 0);
	f->cfg.bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	f->last_cap = at;
	f->next_cap_at = (unsigned)align_up(at + len, 4);
	return (int)at;
}

static uint16_t func_command(const struct pci_func *f)
{
	return le16_load(f->cfg.bytes + PCI_COMMAND);
}

bool pci_func_bus_master(const struct pci_func *f)
{
	return func_command(f) & PCI_COMMAND_MASTER;
}

bool pci_func_memory_enabled(const struct pci_func *f)
{
	return func_command(f) & PCI_COMMAND_MEMORY;
}

void pci_func_set_interrupt_status(struct pci_func *f, bool on)
{
	uint8_t *status = f->cfg.bytes + PCI_STATUS;

	*status = (uint8_t)((*status & ~PCI_STATUS_INTERRUPT) |
			    (on ? PCI_STATUS_INTERRUPT : 0));
}

/*
 * Brings everything in line with the registers.  The transport stops its
 * DMA before MSI-X goes quiet, so that what it completed is told, and
 * resumes before MSI-X delivers what is pending.
 */
static void func_sync(struct pci_func *f)
{
	pci_bars_sync(f);
	if (f->bus_master != pci_func_bus_master(f)) {
		f->bus_master = !f->bus_master;
		if (f->ops->bus_master_changed)
			f->ops->bus_master_changed(f);
	}
	if (f->msix)
		msix_sync(f->msix);
}

uint64_t pci_func_config_read(struct pci_func *f, unsigned off, unsigned size)
{
	if (f->ops->config_reading)
		f->ops->config_reading(f, off, size);
	return pci_config_read(&f->cfg, off, size);
}

void pci_func_config_write(struct pci_func *f, unsigned off, unsigned size,
			   uint64_t val)
{
	pci_config_write(&f->cfg, off, size, val);
	func_sync(f);
	if (f->ops->config_written)
		f->ops->config_written(f, off, size);
}

void pci_func_reset(struct pci_func *f)
{
	memcpy(f->cfg.bytes, f->power_on, sizeof(f->power_on));
	func_sync(f);
	if (f->msix)
		msix_reset(f->msix);
}

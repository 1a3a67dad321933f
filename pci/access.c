/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The two ways to configuration space: ECAM and the ports 0xcf8-0xcff.
 */
#include "core/bits.h"
#include "pci/host.h"

#define RESET_OFFSET 1 /* 0xcf9, in the address port */

/* The address latch; other bits read 0.   [PCI 3.0, 3.2.2.3.2] */
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BUS    0x00ff0000u
#define ADDRESS_WMASK  0x80fffffcu

static uint64_t ones(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

static struct pci_func *host_func(struct pci_host *h, unsigned devfn,
				  unsigned reg, unsigned size)
{
	struct pci_func *f = h->slots[devfn >> 3 & 31];

	if (!f || f->devfn != devfn || reg + size > PCI_CONFIG_SIZE)
		return NULL;
	return f;
}

static uint64_t host_config_read(struct pci_host *h, unsigned devfn,
				 unsigned reg, unsigned size)
{
	struct pci_func *f = host_func(h, devfn, reg, size);
	uint64_t val;

	if (!f)
		return ones(size);
	pthread_mutex_lock(f->lock);
	val = pci_func_config_read(f, reg, size);
	pthread_mutex_unlock(f->lock);
	return val;
}

static void host_config_write(struct pci_host *h, unsigned devfn, unsigned reg,
			      unsigned size, uint64_t val)
{
	struct pci_func *f = host_func(h, devfn, reg, size);

	if (!f)
		return;
	pthread_mutex_lock(f->lock);
	pci_func_config_write(f, reg, size, val);
	pthread_mutex_unlock(f->lock);
	pci_host_settle(h);
}

/* ECAM: 4 KiB a function. [PCI Express Base, 7.2.2] */

static uint64_t ecam_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct pci_host *h = container_of(r, struct pci_host, ecam);

	return host_config_read(h, off >> 12 & 0xff, off & 0xfff, size);
}

static void ecam_write(struct bus_region *r, uint64_t off, unsigned size,
		       uint64_t val)
{
	struct pci_host *h = container_of(r, struct pci_host, ecam);

	host_config_write(h, off >> 12 & 0xff, off & 0xfff, size, val);
}

const struct bus_ops pci_ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

/*
 * The address port.  Only dword accesses reach the latch: a guest probes for
 * that with a byte write to 0xcfb, and 0xcf9 is another register.
 */

static struct bus_region *reset_region(struct pci_host *h, uint64_t off,
				       unsigned size)
{
	return off == RESET_OFFSET && size == 1 ? h->config.reset : NULL;
}

static uint64_t reset_read(struct bus_region *r)
{
	uint64_t val;

	if (r->lock)
		pthread_mutex_lock(r->lock);
	val = r->ops->read(r, 0, 1);
	if (r->lock)
		pthread_mutex_unlock(r->lock);
	return val;
}

static void reset_write(struct bus_region *r, uint64_t val)
{
	if (r->lock)
		pthread_mutex_lock(r->lock);
	r->ops->write(r, 0, 1, val);
	if (r->lock)
		pthread_mutex_unlock(r->lock);
}

static uint32_t host_address(struct pci_host *h)
{
	uint32_t address;

	pthread_mutex_lock(&h->address_lock);
	address = h->address;
	pthread_mutex_unlock(&h->address_lock);
	return address;
}

void pci_host_set_address(struct pci_host *h, uint32_t address)
{
	pthread_mutex_lock(&h->address_lock);
	h->address = address & ADDRESS_WMASK;
	pthread_mutex_unlock(&h->address_lock);
}

static uint64_t address_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct pci_host *h = container_of(r, struct pci_host, address_port);
	struct bus_region *reset = reset_region(h, off, size);

	if (reset)
		return reset_read(reset);
	return size == 4 ? host_address(h) : ones(size);
}

static void address_write(struct bus_region *r, uint64_t off, unsigned size,
			  uint64_t val)
{
	struct pci_host *h = container_of(r, struct pci_host, address_port);
	struct bus_region *reset = reset_region(h, off, size);

	if (reset)
		reset_write(reset, val);
	else if (size == 4)
		pci_host_set_address(h, (uint32_t)val);
}

const struct bus_ops pci_address_ops = {
	.read = address_read,
	.write = address_write,
};

/* The data port: 1, 2 or 4 bytes at any of its four addresses. */

static bool address_selects_us(uint32_t address)
{
	return (address & ADDRESS_ENABLE) && !(address & ADDRESS_BUS);
}

static uint64_t data_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct pci_host *h = container_of(r, struct pci_host, data_port);
	uint32_t at = host_address(h);

	if (!address_selects_us(at))
		return ones(size);
	return host_config_read(h, at >> 8 & 0xff, (at & 0xfc) + (unsigned)off,
				size);
}

static void data_write(struct bus_region *r, uint64_t off, unsigned size,
		       uint64_t val)
{
	struct pci_host *h = container_of(r, struct pci_host, data_port);
	uint32_t at = host_address(h);

	if (address_selects_us(at))
		host_config_write(h, at >> 8 & 0xff,
				  (at & 0xfc) + (unsigned)off, size, val);
}

const struct bus_ops pci_data_ops = {
	.read = data_read,
	.write = data_write,
};

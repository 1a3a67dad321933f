/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci.h"

#include "bare.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE	     0x80000000u

#define BAR_IO	 0x1u
#define BAR_TYPE 0x6u
#define BAR_64	 0x4u
#define BAR_BITS 0xfu

bool pci_has_ports(void)
{
	uint32_t before, seen;

	out8(PORT_ADDRESS + 3, 1);
	before = in32(PORT_ADDRESS);
	out32(PORT_ADDRESS, ENABLE);
	seen = in32(PORT_ADDRESS);
	out32(PORT_ADDRESS, before);
	return seen == ENABLE;
}

static uint16_t data_port(uint8_t devfn, unsigned off)
{
	if (off >= 256)
		fail("offset %x by the ports", (uint64_t)off);
	out32(PORT_ADDRESS, ENABLE | (uint32_t)devfn << 8 | (off & 0xfc));
	return (uint16_t)(PORT_DATA + (off & 3));
}

uint32_t pci_port_read(uint8_t devfn, unsigned off, unsigned size)
{
	uint16_t port = data_port(devfn, off);

	if (size == 1)
		return in8(port);
	return size == 2 ? in16(port) : in32(port);
}

void pci_port_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val)
{
	uint16_t port = data_port(devfn, off);

	if (size == 1)
		out8(port, (uint8_t)val);
	else if (size == 2)
		out16(port, (uint16_t)val);
	else
		out32(port, val);
}

static volatile void *ecam(uint8_t devfn, unsigned off)
{
	return (volatile void *)(uintptr_t)(PCI_ECAM + ((uint32_t)devfn << 12) +
					    off);
}

uint32_t pci_ecam_read(uint8_t devfn, unsigned off, unsigned size)
{
	return (uint32_t)mmio_read(ecam(devfn, off), size);
}

void pci_ecam_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val)
{
	mmio_write(ecam(devfn, off), size, val);
}

/* -1: not known yet */
static int ports = -1;

static bool by_ports(void)
{
	if (ports < 0)
		ports = pci_has_ports();
	return ports;
}

uint32_t pci_read(uint8_t devfn, unsigned off, unsigned size)
{
	return by_ports() ? pci_port_read(devfn, off, size)
			  : pci_ecam_read(devfn, off, size);
}

void pci_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val)
{
	if (by_ports())
		pci_port_write(devfn, off, size, val);
	else
		pci_ecam_write(devfn, off, size, val);
}

uint8_t pci_look(uint16_t vendor, uint16_t device, unsigned nth)
{
	uint32_t wanted = (uint32_t)device << 16 | vendor;

	for (unsigned slot = 1; slot < 32; slot++)
		if (pci_read(PCI_DEVFN(slot), 0, 4) == wanted && nth-- == 0)
			return PCI_DEVFN(slot);
	return 0;
}

uint8_t pci_find(uint16_t vendor, uint16_t device, unsigned nth)
{
	uint8_t devfn = pci_look(vendor, device, nth);

	if (!devfn)
		fail("no function %x:%x", (uint64_t)vendor, (uint64_t)device);
	return devfn;
}

void pci_snapshot(uint8_t devfn, uint8_t config[256])
{
	for (unsigned off = 0; off < 256; off += 4) {
		uint32_t val = pci_read(devfn, off, 4);

		memcpy(config + off, &val, sizeof(val));
	}
}

/* All ones written to the address bits: those of the size read as zero. */
static uint64_t measure(uint8_t devfn, unsigned off, bool is_64)
{
	uint32_t low = pci_read(devfn, off, 4), high = 0, command;
	uint64_t mask;

	command = pci_read(devfn, PCI_COMMAND, 2);
	pci_write(devfn, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	pci_write(devfn, off, 4, UINT32_MAX);
	mask = pci_read(devfn, off, 4) & ~BAR_BITS;
	pci_write(devfn, off, 4, low);
	if (is_64) {
		high = pci_read(devfn, off + 4, 4);
		pci_write(devfn, off + 4, 4, UINT32_MAX);
		mask |= (uint64_t)pci_read(devfn, off + 4, 4) << 32;
		pci_write(devfn, off + 4, 4, high);
	} else {
		mask |= UINT64_C(0xffffffff) << 32;
	}
	pci_write(devfn, PCI_COMMAND, 2, command);
	return ~mask + 1;
}

uint64_t pci_bar(uint8_t devfn, unsigned bar, uint64_t *ret_size)
{
	unsigned off = PCI_BAR0 + 4 * bar;
	uint32_t low = pci_read(devfn, off, 4);
	bool is_64 = (low & BAR_TYPE) == BAR_64;
	uint64_t at = low & ~BAR_BITS;

	if (low & BAR_IO)
		return 0;
	if (is_64)
		at |= (uint64_t)pci_read(devfn, off + 4, 4) << 32;
	if (ret_size)
		*ret_size = measure(devfn, off, is_64);
	return at;
}

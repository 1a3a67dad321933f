/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Configuration space reads the same by the ports and by ECAM, in any width,
 * and BARs are assigned.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/pci.h"

static void compare(uint8_t devfn)
{
	for (unsigned off = 0; off < 256; off += 4)
		CHECK_EQ(pci_port_read(devfn, off, 4),
			 pci_ecam_read(devfn, off, 4));
	for (unsigned off = 0; off < 64; off++)
		CHECK_EQ(pci_port_read(devfn, off, 1),
			 pci_ecam_read(devfn, off, 1));
	for (unsigned off = 0; off < 64; off += 2)
		CHECK_EQ(pci_port_read(devfn, off, 2),
			 pci_ecam_read(devfn, off, 2));
}

void guest(void)
{
	unsigned functions = 0;

	CHECK(pci_has_ports());
	/* Linux takes the ports only with a host bridge at 00:00.0. */
	CHECK_EQ(pci_port_read(0, 0x0a, 2), 0x0600);
	for (unsigned slot = 0; slot < 32; slot++) {
		uint8_t devfn = PCI_DEVFN(slot);
		uint64_t size;

		if (pci_port_read(devfn, 0, 4) == UINT32_MAX) {
			CHECK_EQ(pci_ecam_read(devfn, 0, 4), UINT32_MAX);
			continue;
		}
		compare(devfn);
		functions++;
		if (slot == 0)
			continue;
		CHECK(pci_bar(devfn, 0, &size) != 0);
		CHECK(size >= PAGE && (size & (size - 1)) == 0);
		CHECK_EQ(pci_bar(devfn, 0, NULL) % size, 0);
	}
	CHECK(functions >= 3);
}

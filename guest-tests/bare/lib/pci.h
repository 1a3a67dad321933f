/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pci.h - functions of bus 0, by the ports or by ECAM.
 */
#ifndef MOAT_BARE_PCI_H
#define MOAT_BARE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_DEVFN(slot) ((uint8_t)((slot) << 3))

#define PCI_COMMAND	   0x04
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_STATUS	   0x06
#define PCI_BAR0	   0x10

/* Where moat has it. */
#define PCI_ECAM 0xeec00000u

/* Are there ports?  Asked as Linux does, which changes nothing. */
bool pci_has_ports(void);

/* By ports where there are some, else by ECAM. */
uint32_t pci_read(uint8_t devfn, unsigned off, unsigned size);
void pci_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val);

/* One way or the other; a read by ports of what is behind 256 fails. */
uint32_t pci_port_read(uint8_t devfn, unsigned off, unsigned size);
void pci_port_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val);
uint32_t pci_ecam_read(uint8_t devfn, unsigned off, unsigned size);
void pci_ecam_write(uint8_t devfn, unsigned off, unsigned size, uint32_t val);

/* The @nth (from 0) function with these ids; fails if there is none. */
uint8_t pci_find(uint16_t vendor, uint16_t device, unsigned nth);
/* The same; 0, the bridge, if there is none. */
uint8_t pci_look(uint16_t vendor, uint16_t device, unsigned nth);

/* The first 256 bytes. */
void pci_snapshot(uint8_t devfn, uint8_t config[256]);

/* Where memory BAR @bar is; 0 if it is none.  @ret_size may be NULL. */
uint64_t pci_bar(uint8_t devfn, unsigned bar, uint64_t *ret_size);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * config.h - a function's configuration space: bytes and two masks.
 *
 * Reads give bytes.  A write changes the bits of the write mask and clears
 * the bits of the W1C mask that are written as one; everything else is
 * read-only.  BAR sizing falls out of the write mask.
 *
 * [PCI Local Bus 3.0, 6; PCI Express Base, 7.5]
 *
 * Threads: the function's lock.
 */
#ifndef MOAT_PCI_CONFIG_H
#define MOAT_PCI_CONFIG_H

#include <stdint.h>

#define PCI_CONFIG_SIZE 4096

struct pci_config {
	uint8_t bytes[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE];
	uint8_t w1c[PCI_CONFIG_SIZE];
};

/* @off + @size within the space, @size in {1, 2, 4, 8}; any alignment. */
uint64_t pci_config_read(const struct pci_config *c, unsigned off,
			 unsigned size);
void pci_config_write(struct pci_config *c, unsigned off, unsigned size,
		      uint64_t val);

/* Set-up: bytes with their masks, little-endian. */
void pci_config_set(struct pci_config *c, unsigned off, unsigned size,
		    uint64_t val, uint64_t wmask);
void pci_config_set_w1c(struct pci_config *c, unsigned off, unsigned size,
			uint64_t w1c);

#endif

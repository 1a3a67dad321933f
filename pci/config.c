/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci/config.h"

#include <assert.h>

#include "core/le.h"

uint64_t pci_config_read(const struct pci_config *c, unsigned off,
			 unsigned size)
{
	assert(size <= 8 && off <= PCI_CONFIG_SIZE - size);
	return le_load(c->bytes + off, size);
}

void pci_config_write(struct pci_config *c, unsigned off, unsigned size,
		      uint64_t val)
{
	assert(size <= 8 && off <= PCI_CONFIG_SIZE - size);
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(val >> 8 * i);
		uint8_t wmask = c->wmask[off + i];
		uint8_t kept = c->bytes[off + i] & (uint8_t)~wmask;
		uint8_t cleared = byte & c->w1c[off + i];

		c->bytes[off + i] =
			(uint8_t)((kept | (byte & wmask)) & ~cleared);
	}
}

void pci_config_set(struct pci_config *c, unsigned off, unsigned size,
		    uint64_t val, uint64_t wmask)
{
	assert(size <= 8 && off <= PCI_CONFIG_SIZE - size);
	le_store(c->bytes + off, size, val);
	le_store(c->wmask + off, size, wmask);
}

void pci_config_set_w1c(struct pci_config *c, unsigned off, unsigned size,
			uint64_t w1c)
{
	assert(size <= 8 && off <= PCI_CONFIG_SIZE - size);
	le_store(c->w1c + off, size, w1c);
}

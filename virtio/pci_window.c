/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The window into the BAR through configuration space, for drivers that
 * cannot map it.   [virtio 1.2, 4.1.4.9]
 *
 * The driver writes bar, offset and length, then reads or writes
 * pci_cfg_data: that is an access of @length bytes inside the BAR, with its
 * side effects.  A length other than 1, 2 or 4 opens no window.
 */
#include "core/le.h"
#include "pci/regs.h"
#include "virtio/pci_cap.h"
#include "virtio/pci_priv.h"

int vpci_window_add(struct vpci *v)
{
	struct pci_config *c = &v->func.cfg;
	int cap = pci_cap_add(&v->func, PCI_CAP_ID_VENDOR, VPCI_CAP_WINDOW_LEN);

	if (cap < 0)
		return cap;
	v->window = (unsigned)cap;
	pci_config_set(c, v->window + VPCI_CAP_LEN, 1, VPCI_CAP_WINDOW_LEN, 0);
	pci_config_set(c, v->window + VPCI_CAP_TYPE, 1, VPCI_CFG_WINDOW, 0);
	pci_config_set(c, v->window + VPCI_CAP_BAR, 1, 0, 0xff);
	pci_config_set(c, v->window + VPCI_CAP_OFFSET, 4, 0, 0xffffffff);
	pci_config_set(c, v->window + VPCI_CAP_LENGTH, 4, 0, 0xffffffff);
	pci_config_set(c, v->window + VPCI_CAP_DATA, 4, 0, 0xffffffff);
	return 0;
}

/* Bytes that an access to [off, off + size) moves in the BAR; 0: none. */
static unsigned window_len(const struct vpci *v, unsigned off, unsigned size)
{
	const uint8_t *cap = v->func.cfg.bytes + v->window;
	uint32_t len = le32_load(cap + VPCI_CAP_LENGTH);
	unsigned data = v->window + VPCI_CAP_DATA;

	if (len != 1 && len != 2 && len != 4)
		return 0;
	return off < data + len && data < off + size ? len : 0;
}

void vpci_window_reading(struct vpci *v, unsigned off, unsigned size)
{
	uint8_t *cap = v->func.cfg.bytes + v->window;
	unsigned len = window_len(v, off, size);
	uint64_t val;

	if (!len)
		return;
	val = pci_bar_read(&v->func, cap[VPCI_CAP_BAR],
			   le32_load(cap + VPCI_CAP_OFFSET), len);
	le_store(cap + VPCI_CAP_DATA, len, val);
}

void vpci_window_written(struct vpci *v, unsigned off, unsigned size)
{
	const uint8_t *cap = v->func.cfg.bytes + v->window;
	unsigned len = window_len(v, off, size);

	if (len)
		pci_bar_write(&v->func, cap[VPCI_CAP_BAR],
			      le32_load(cap + VPCI_CAP_OFFSET), len,
			      le_load(cap + VPCI_CAP_DATA, len));
}

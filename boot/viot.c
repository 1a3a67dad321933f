/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Virtual I/O translation table.  [ACPI 6.5, 5.2.34] */
#include "boot/acpi_table.h"

enum { NODES_AT = 48, IOMMU_SIZE = 16, ENDPOINTS_SIZE = 24 };
enum { PCI_RANGE = 1, MMIO_ENDPOINT = 2, VIRTIO_IOMMU_PCI = 3 };

static void put_head(struct buf *b, uint8_t type, uint16_t len)
{
	buf_put8(b, type);
	buf_put8(b, 0);
	buf_put_le16(b, len);
}

static void put_iommu(struct buf *b, uint16_t requester)
{
	put_head(b, VIRTIO_IOMMU_PCI, IOMMU_SIZE);
	buf_put_le16(b, 0); /* segment */
	buf_put_le16(b, requester);
	buf_put_zero(b, 8);
}

static void put_item(struct buf *b, const struct acpi_viot_item *it)
{
	put_head(b, it->mmio ? MMIO_ENDPOINT : PCI_RANGE, ENDPOINTS_SIZE);
	buf_put_le32(b, it->endpoint);
	if (it->mmio) {
		buf_put_le64(b, it->address);
	} else {
		buf_put_le16(b, it->segment); /* first */
		buf_put_le16(b, it->segment); /* last */
		buf_put_le16(b, it->first);
		buf_put_le16(b, it->last);
	}
	buf_put_le16(b, NODES_AT); /* output node: the IOMMU, which is first */
	buf_put_zero(b, 6);
}

void acpi_put_viot(struct buf *b, const struct acpi_config *c)
{
	size_t at = acpi_table_begin(b, "VIOT", 0);

	buf_put_le16(b, (uint16_t)(1 + c->nitems)); /* nodes */
	buf_put_le16(b, NODES_AT);
	buf_put_zero(b, 8);
	put_iommu(b, c->iommu_requester);
	for (size_t i = 0; i < c->nitems; i++)
		put_item(b, &c->items[i]);
	acpi_table_end(b, at);
}

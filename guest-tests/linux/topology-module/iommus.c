// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the description by the virtio core's own accessors: the core has
 * reset the device and set ACKNOWLEDGE, and reading the configuration space
 * is legal from then on.  The common structure is the core's; it is never
 * touched from here.
 */
#include "iommus.h"

#include <linux/property.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#define PCI_VENDOR_VIRTIO	0x1af4
#define PCI_DEVICE_VIRTIO_IOMMU 0x1057

/* The specification has not got to a limit; a machine has one or two. */
#define GENERATIONS_MAX 16

LIST_HEAD(topo_iommus);

static int is_virtio(struct device *dev, void *data)
{
	return dev->bus && !strcmp(dev->bus->name, "virtio");
}

/* How many bytes of the structure are there to read. */
static enum topo_result structure_length(struct pci_dev *pdev, u32 *ret_len)
{
	struct topo_structure s;
	enum topo_result r;
	u8 config[256];
	u64 size = 0;
	int n;

	for (n = 0; n < sizeof(config); n++)
		if (pci_read_config_byte(pdev, n, &config[n]))
			return TOPO_NO_CAPABILITIES;
	r = topo_find_structure(config, TOPO_CFG_DEVICE, &s);
	if (r != TOPO_OK)
		return r;
	if (pci_resource_flags(pdev, s.bar) & IORESOURCE_MEM)
		size = pci_resource_len(pdev, s.bar);
	return topo_usable_length(&s, size, ret_len);
}

/* In words: the accessor takes an access of 1, 2, 4 or 8 bytes. */
static void read_words(struct virtio_device *vdev, u8 *bytes, u32 len)
{
	u32 at;

	for (at = 0; at + 4 <= len; at += 4)
		vdev->config->get(vdev, at, bytes + at, 4);
	for (; at < len; at++)
		vdev->config->get(vdev, at, bytes + at, 1);
}

static int read_structure(struct virtio_device *vdev, u8 *bytes, u32 len)
{
	u32 before;
	int n;

	for (n = 0; n < GENERATIONS_MAX; n++) {
		before = vdev->config->generation(vdev);
		read_words(vdev, bytes, len);
		if (vdev->config->generation(vdev) == before)
			return 0;
	}
	return -EAGAIN;
}

static void tell(struct topo_iommu *i, enum topo_result r,
		 const struct topo_where *where)
{
	struct device *dev = &i->pdev->dev;

	switch (r) {
	case TOPO_OK:
		dev_info(dev, "topology: %u items, %u of unknown types\n",
			 i->list.n, i->list.skipped);
		break;
	case TOPO_ABSENT:
		dev_info(dev, "topology: %s\n", topo_reason(r));
		break;
	default:
		dev_err(dev, "topology refused: %s (items %u, %u)\n",
			topo_reason(r), where->item, where->other);
	}
}

static void read_topology(struct topo_iommu *i)
{
	struct virtio_device *vdev = dev_to_virtio(i->vdev);
	const struct topo_self self = {
		.kind = TOPO_PCI,
		.segment = pci_domain_nr(i->pdev->bus),
		.requester = pci_dev_id(i->pdev),
	};
	struct topo_where where = {};
	enum topo_result r;
	u8 *bytes;
	u32 len;

	r = structure_length(i->pdev, &len);
	if (r != TOPO_OK) {
		tell(i, r, &where);
		return;
	}
	bytes = kzalloc(len, GFP_KERNEL);
	if (!bytes)
		return;
	if (read_structure(vdev, bytes, len)) {
		dev_err(&i->pdev->dev, "topology refused: it never rests\n");
	} else {
		r = topo_parse(&i->list, bytes, len,
			       vdev->config->get_features(vdev), &self, &where);
		i->good = r == TOPO_OK;
		tell(i, r, &where);
	}
	kfree(bytes);
}

/* It stays when this module goes: the IOMMU's driver goes on using it. */
static int give_node(struct pci_dev *pdev)
{
	if (dev_fwnode(&pdev->dev))
		return 0;
	return device_create_managed_software_node(&pdev->dev, NULL, NULL);
}

static int add_iommu(struct pci_dev *pdev)
{
	struct topo_iommu *i;
	int r = give_node(pdev);

	if (r) {
		dev_err(&pdev->dev, "cannot give it a node: %d\n", r);
		return r;
	}
	i = kvzalloc(sizeof(*i), GFP_KERNEL);
	if (!i)
		return -ENOMEM;
	i->pdev = pci_dev_get(pdev);
	i->vdev = device_find_child(&pdev->dev, NULL, is_virtio);
	if (i->vdev)
		read_topology(i);
	else
		dev_warn(&pdev->dev, "virtio_pci has not bound it\n");
	list_add_tail(&i->link, &topo_iommus);
	return 0;
}

int topo_iommus_find(void)
{
	struct pci_dev *pdev = NULL;
	int n = 0, r;

	for (;;) {
		pdev = pci_get_device(PCI_VENDOR_VIRTIO,
				      PCI_DEVICE_VIRTIO_IOMMU, pdev);
		if (!pdev)
			return n;
		r = add_iommu(pdev);
		if (r) {
			pci_dev_put(pdev);
			topo_iommus_forget();
			return r;
		}
		n++;
	}
}

void topo_iommus_forget(void)
{
	struct topo_iommu *i, *next;

	list_for_each_entry_safe(i, next, &topo_iommus, link) {
		list_del(&i->link);
		put_device(i->vdev);
		pci_dev_put(i->pdev);
		kvfree(i);
	}
}

bool topo_iommu_bound(const struct topo_iommu *i)
{
	return i->vdev && device_is_bound(i->vdev);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a description to the IOMMU core.
 *
 * The core attaches a function when it is added to its bus, or when an IOMMU
 * driver registers.  Functions are long there when this module is loaded, so
 * they get their ids first, and then a driver of no device registers and
 * leaves again, which makes the core look at every function once more.
 */
#include "endpoints.h"

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/slab.h>

struct held {
	struct list_head link;
	struct pci_dev *pdev;
};

static LIST_HEAD(held);

static bool find_id(const struct topo_iommu *i, u16 segment, u16 rid, u32 *id)
{
	if (!i->good || (segment == pci_domain_nr(i->pdev->bus) &&
			 rid == pci_dev_id(i->pdev)))
		return false;
	return topo_endpoint_of_pci(&i->list, segment, rid, id);
}

/*
 * aliases - the ids that transfers of @pdev may carry, its own first.
 * Bridges to conventional PCI put theirs in its place.
 */
#define ALIASES_MAX 8

static unsigned int aliases(struct pci_dev *pdev, u16 *rids)
{
	struct pci_bus *bus;
	unsigned int n = 0;

	rids[n++] = pci_dev_id(pdev);
	for (bus = pdev->bus; !pci_is_root_bus(bus) && n < ALIASES_MAX;
	     bus = bus->parent) {
		struct pci_dev *bridge = bus->self;

		if (!bridge)
			continue;
		switch (pci_is_pcie(bridge) ? pci_pcie_type(bridge) : -1) {
		case PCI_EXP_TYPE_ROOT_PORT:
		case PCI_EXP_TYPE_UPSTREAM:
		case PCI_EXP_TYPE_DOWNSTREAM:
			break;
		case PCI_EXP_TYPE_PCI_BRIDGE:
			rids[n++] = PCI_DEVID(bus->number, 0);
			break;
		default:
			rids[n++] = pci_dev_id(bridge);
		}
	}
	return n;
}

static struct topo_iommu *find_iommu(u16 segment, u16 rid, u32 *id)
{
	struct topo_iommu *i;

	list_for_each_entry(i, &topo_iommus, link)
		if (find_id(i, segment, rid, id))
			return i;
	return NULL;
}

struct topo_iommu *topo_endpoint_iommu(struct pci_dev *pdev)
{
	u16 rids[ALIASES_MAX], segment = pci_domain_nr(pdev->bus);
	unsigned int n, k = aliases(pdev, rids);
	struct topo_iommu *i;
	u32 id;

	for (n = 0; n < k; n++) {
		i = find_iommu(segment, rids[n], &id);
		if (i)
			return i;
	}
	return NULL;
}

int topo_endpoint_give(struct pci_dev *pdev, struct topo_iommu *i)
{
	u16 rids[ALIASES_MAX], segment = pci_domain_nr(pdev->bus);
	unsigned int n, k = aliases(pdev, rids);
	u32 id;
	int r;

	r = iommu_fwspec_init(&pdev->dev, dev_fwnode(&i->pdev->dev));
	for (n = 0; !r && n < k; n++)
		if (find_id(i, segment, rids[n], &id))
			r = iommu_fwspec_add_ids(&pdev->dev, &id, 1);
	return r;
}

/* Somebody else, ACPI perhaps, has told the core already. */
static bool is_attached(struct pci_dev *pdev)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);

	if (!group)
		return false;
	iommu_group_put(group);
	return true;
}

static bool hold(struct pci_dev *pdev)
{
	struct held *h = kzalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return false;
	h->pdev = pci_dev_get(pdev);
	list_add_tail(&h->link, &held);
	device_release_driver(&pdev->dev);
	return true;
}

static bool is_held(const struct pci_dev *pdev)
{
	const struct held *h;

	list_for_each_entry(h, &held, link)
		if (h->pdev == pdev)
			return true;
	return false;
}

static void forget_held(struct held *h)
{
	list_del(&h->link);
	pci_dev_put(h->pdev);
	kfree(h);
}

static int is_in_use(struct device *dev, void *data)
{
	return device_is_bound(dev);
}

/* A virtio device without a driver of its own is no loss. */
static bool in_use(struct pci_dev *pdev)
{
	struct device *child = device_find_child(&pdev->dev, NULL, is_in_use);

	put_device(child);
	return child;
}

void topo_endpoints_hold_back(void)
{
	struct pci_dev *pdev = NULL;
	struct topo_iommu *i;

	for_each_pci_dev(pdev) {
		i = topo_endpoint_iommu(pdev);
		if (!i || topo_iommu_bound(i) || is_attached(pdev) ||
		    !device_is_bound(&pdev->dev))
			continue;
		if (in_use(pdev))
			pci_warn(pdev,
				 "in use before its IOMMU has a driver\n");
		else if (hold(pdev))
			pci_info(pdev, "waits for the driver of its IOMMU\n");
	}
}

/*
 * If @pdev is to be attached now: hold it, give it its ids.  One without a
 * driver is held, too: it may be without because it had to wait, for us or for
 * who was loaded before us.
 */
static bool prepare(struct pci_dev *pdev)
{
	struct topo_iommu *i = topo_endpoint_iommu(pdev);
	int r;

	if (!i || !topo_iommu_bound(i) || is_attached(pdev))
		return false;
	/* Rings that hold untranslated addresses do not outlive this. */
	if (!is_held(pdev) && !hold(pdev))
		return false;
	r = topo_endpoint_give(pdev, i);
	if (r)
		pci_err(pdev, "cannot be given to its IOMMU: %d\n", r);
	return !r;
}

static const struct iommu_ops no_ops = {.owner = THIS_MODULE};

/* A node of its own: without one it would be the IOMMU of every device. */
static int make_core_look(void)
{
	struct fwnode_handle *node = fwnode_create_software_node(NULL, NULL);
	struct iommu_device nobody = {.fwnode = node};
	int r;

	if (IS_ERR(node))
		return PTR_ERR(node);
	r = iommu_device_register(&nobody, &no_ops, NULL);
	if (!r)
		iommu_device_unregister(&nobody);
	fwnode_remove_software_node(node);
	return r;
}

/* Its IOMMU's driver is there: whether it was attached or not, it is no
 * longer held.  Without a group it stays without a driver, and harmless. */
static void resume(struct held *h)
{
	struct pci_dev *pdev = h->pdev;

	if (is_attached(pdev)) {
		if (device_attach(&pdev->dev) < 0)
			pci_err(pdev, "its driver does not come back\n");
	} else {
		pci_err(pdev, "is not attached to its IOMMU, stays unused\n");
	}
	forget_held(h);
}

void topo_endpoints_hand_over(void)
{
	struct pci_dev *pdev = NULL;
	struct held *h, *next;
	unsigned int prepared = 0;
	int r = 0;

	for_each_pci_dev(pdev)
		prepared += prepare(pdev);
	if (prepared)
		r = make_core_look();
	if (r)
		pr_err("virtio_iommu_topology: the IOMMU core refuses: %d\n",
		       r);
	list_for_each_entry_safe(h, next, &held, link)
		if (topo_iommu_bound(topo_endpoint_iommu(h->pdev)))
			resume(h);
}

void topo_endpoints_let_go(void)
{
	struct held *h, *next;

	list_for_each_entry_safe(h, next, &held, link) {
		pci_warn(h->pdev, "stays unused: its IOMMU has no driver\n");
		forget_held(h);
	}
}

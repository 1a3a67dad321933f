// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio_iommu_topology - endpoints of a virtio-iommu that describes them
 * itself, for kernels without ACPI's VIOT or a device tree.
 *
 * Load it before virtio_iommu (virtio_iommu_topology.conf has the soft
 * dependencies).  Its work is done once the endpoints are attached; it may be
 * unloaded then, but functions added later are no longer told of.
 */
#include <linux/acpi.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/workqueue.h>

#include "endpoints.h"
#include "iommus.h"

static const struct bus_type *virtio_bus; /* not exported; from a device */

/* The one place where endpoints are handled: never twice at once. */
static void hand_over(struct work_struct *work)
{
	topo_endpoints_hold_back();
	topo_endpoints_hand_over();
}

static DECLARE_WORK(hand_over_work, hand_over);

/*
 * Not from the notifier itself: it runs under the lock of the IOMMU's device,
 * and drivers of other devices come and go here.
 */
static int on_virtio(struct notifier_block *nb, unsigned long action,
		     void *data)
{
	struct topo_iommu *i;

	if (action == BUS_NOTIFY_BOUND_DRIVER)
		list_for_each_entry(i, &topo_iommus, link)
			if (i->good && i->vdev == data)
				schedule_work(&hand_over_work);
	return NOTIFY_DONE;
}

/* A function is added: the core's own notifier comes after this one. */
static int on_pci(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct topo_iommu *i;
	int r;

	if (action != BUS_NOTIFY_ADD_DEVICE)
		return NOTIFY_DONE;
	i = topo_endpoint_iommu(pdev);
	if (!i || !topo_iommu_bound(i))
		return NOTIFY_DONE;
	r = topo_endpoint_give(pdev, i);
	if (r)
		pci_err(pdev, "cannot be given to its IOMMU: %d\n", r);
	return NOTIFY_DONE;
}

static struct notifier_block virtio_nb = {.notifier_call = on_virtio};
static struct notifier_block pci_nb = {.notifier_call = on_pci, .priority = 1};

static const struct bus_type *find_virtio_bus(void)
{
	struct topo_iommu *i;

	list_for_each_entry(i, &topo_iommus, link)
		if (i->vdev)
			return i->vdev->bus;
	return NULL;
}

/* ACPI comes first: two who tell the core at the same time are one too many. */
static bool has_viot(void)
{
	struct acpi_table_header *viot;

	if (acpi_disabled || ACPI_FAILURE(acpi_get_table("VIOT", 0, &viot)))
		return false;
	acpi_put_table(viot);
	return true;
}

static int __init topology_init(void)
{
	int r;

	if (has_viot()) {
		pr_info("virtio_iommu_topology: left to VIOT\n");
		return 0;
	}
	r = topo_iommus_find();
	if (r < 0)
		return r;
	virtio_bus = find_virtio_bus();
	if (!virtio_bus)
		return 0; /* the guard is all there is to do */
	r = bus_register_notifier(&pci_bus_type, &pci_nb);
	if (r)
		goto forget;
	r = bus_register_notifier(virtio_bus, &virtio_nb);
	if (r)
		goto no_pci;
	/* The driver may have been there first, and is asked for only now. */
	schedule_work(&hand_over_work);
	flush_work(&hand_over_work);
	return 0;
no_pci:
	bus_unregister_notifier(&pci_bus_type, &pci_nb);
forget:
	topo_iommus_forget();
	return r;
}

static void __exit topology_exit(void)
{
	if (virtio_bus) {
		bus_unregister_notifier(virtio_bus, &virtio_nb);
		bus_unregister_notifier(&pci_bus_type, &pci_nb);
		/* To its end: endpoints that wait for it have no one else. */
		flush_work(&hand_over_work);
		topo_endpoints_let_go();
	}
	topo_iommus_forget();
}

module_init(topology_init);
module_exit(topology_exit);

MODULE_DESCRIPTION("Endpoints of a virtio-iommu that describes them itself");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: virtio_pci");

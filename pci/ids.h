/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ids.h - who our functions say they are.
 */
#ifndef MOAT_PCI_IDS_H
#define MOAT_PCI_IDS_H

/*
 * The host bridge has the identity of the generic PCI Express host bridge
 * that virtual machines commonly show: no driver binds to it and no quirk
 * names it.  Its class is what makes a guest without firmware trust 0xcf8.
 */
#define PCI_VENDOR_GENERIC_BRIDGE 0x1b36
#define PCI_DEVICE_GENERIC_BRIDGE 0x0008

/* [virtio 1.2, 4.1.2] */
#define PCI_VENDOR_VIRTIO      0x1af4
#define PCI_DEVICE_VIRTIO_BASE 0x1040 /* plus the virtio device id */
#define PCI_SUBSYSTEM_VIRTIO   0x0040 /* the least of a modern device */

/* Base class, sub-class, programming interface. */
#define PCI_CLASS_STORAGE_SCSI	0x010000
#define PCI_CLASS_STORAGE_OTHER 0x018000
#define PCI_CLASS_NETWORK	0x020000
#define PCI_CLASS_NETWORK_OTHER 0x028000
#define PCI_CLASS_HOST_BRIDGE	0x060000
#define PCI_CLASS_COMM_OTHER	0x078000
#define PCI_CLASS_SYSTEM_IOMMU	0x080600
#define PCI_CLASS_NONE		0xff0000

#endif

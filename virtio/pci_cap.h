/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pci_cap.h - the vendor capability that says where a structure is.
 *
 * [virtio 1.2, 4.1.4]
 */
#ifndef MOAT_VIRTIO_PCI_CAP_H
#define MOAT_VIRTIO_PCI_CAP_H

/* Offsets inside the capability. */
#define VPCI_CAP_LEN	    2
#define VPCI_CAP_TYPE	    3
#define VPCI_CAP_BAR	    4
#define VPCI_CAP_OFFSET	    8
#define VPCI_CAP_LENGTH	    12
#define VPCI_CAP_MULTIPLIER 16 /* of the notify structure */
#define VPCI_CAP_DATA	    16 /* of the window */

#define VPCI_CAP_PLAIN_LEN  16
#define VPCI_CAP_NOTIFY_LEN 20
#define VPCI_CAP_WINDOW_LEN 20

/* cfg_type */
#define VPCI_CFG_COMMON 1
#define VPCI_CFG_NOTIFY 2
#define VPCI_CFG_ISR	3
#define VPCI_CFG_DEVICE 4
#define VPCI_CFG_WINDOW 5

#define VPCI_ISR_QUEUE	0x1
#define VPCI_ISR_CONFIG 0x2

#endif

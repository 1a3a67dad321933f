/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * regs.h - offsets and bits of a type 0 configuration header.
 *
 * [PCI Local Bus 3.0, 6.1, 6.2, 6.8.2; PCI Express Base, 7.5.1, 7.7.2]
 */
#ifndef MOAT_PCI_REGS_H
#define MOAT_PCI_REGS_H

#define PCI_VENDOR_ID	     0x00
#define PCI_DEVICE_ID	     0x02
#define PCI_COMMAND	     0x04
#define PCI_STATUS	     0x06
#define PCI_REVISION_ID	     0x08
#define PCI_CLASS_PROG	     0x09
#define PCI_CACHE_LINE_SIZE  0x0c
#define PCI_HEADER_TYPE	     0x0e
#define PCI_BAR0	     0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM_ID     0x2e
#define PCI_CAPABILITIES     0x34
#define PCI_INTERRUPT_LINE   0x3c
#define PCI_INTERRUPT_PIN    0x3d
#define PCI_HEADER_END	     0x40

/* Capabilities live in the part that 0xcf8 reaches, too. */
#define PCI_CONFIG_LEGACY_SIZE 256

#define PCI_COMMAND_IO		 0x0001
#define PCI_COMMAND_MEMORY	 0x0002
#define PCI_COMMAND_MASTER	 0x0004
#define PCI_COMMAND_PARITY	 0x0040
#define PCI_COMMAND_SERR	 0x0100
#define PCI_COMMAND_INTX_DISABLE 0x0400

#define PCI_STATUS_INTERRUPT 0x0008
#define PCI_STATUS_CAP_LIST  0x0010
#define PCI_STATUS_ERRORS    0xf900 /* write one to clear */

#define PCI_BAR_64	 0x4
#define PCI_BAR_PREFETCH 0x8

#define PCI_CAP_ID	  0 /* offsets inside a capability */
#define PCI_CAP_NEXT	  1
#define PCI_CAP_ID_VENDOR 0x09
#define PCI_CAP_ID_MSIX	  0x11

#define PCI_MSIX_CONTROL 2
#define PCI_MSIX_TABLE	 4
#define PCI_MSIX_PBA	 8
#define PCI_MSIX_CAP_LEN 12

#define PCI_MSIX_CONTROL_MASK_ALL 0x4000
#define PCI_MSIX_CONTROL_ENABLE	  0x8000

/* One entry of the MSI-X table. */
#define PCI_MSIX_ENTRY_SIZE    16
#define PCI_MSIX_ENTRY_ADDR    0
#define PCI_MSIX_ENTRY_DATA    8
#define PCI_MSIX_ENTRY_CONTROL 12
#define PCI_MSIX_ENTRY_MASKED  0x1

#endif

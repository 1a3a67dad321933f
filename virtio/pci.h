/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pci.h - virtio over PCI, modern only.   [virtio 1.2, 4.1]
 *
 * One 64-bit BAR with common, ISR, device, notify structures and the MSI-X
 * table and pending bits; the fifth capability is the PCI_CFG window.  One
 * notify address for each queue, so that a doorbell needs no value.
 *
 * Doorbells are attached while a queue runs and the BAR is mapped; a queue
 * with inline_kick has none and is served in the bus handler.  When the BAR
 * has moved, running queues are kicked once, for what was rung on the way.
 *
 * Without bus mastering the device is paused (virtio_pause) and its messages
 * pend; that is so from power-on until the driver enables it.
 *
 * Threads: the device's lock, taken by bus and host bridge.
 */
#ifndef MOAT_VIRTIO_PCI_H
#define MOAT_VIRTIO_PCI_H

#include <stdint.h>

struct err;
struct doorbell_sink;
struct msi_sink;
struct pci_func;
struct virtio_dev;
struct vpci;

/*
 * vpci_new - a PCI function for @d.
 * @d: borrowed; freed by the caller after vpci_free()
 * @msi, @doorbells: borrowed; @doorbells may be NULL: kicks come by the bus
 *
 * The function is ready for pci_host_attach().
 *
 * Return: 0; -ENOMEM, -errno.
 */
int vpci_new(struct vpci **ret_v, struct virtio_dev *d, struct msi_sink *msi,
	     struct doorbell_sink *doorbells, struct err *err);
void vpci_free(struct vpci *v);

struct pci_func *vpci_func(struct vpci *v);

/* Machine restart: device reset and registers as at power-on.  Main thread,
 * no lock held, vCPUs stopped. */
void vpci_power_on_reset(struct vpci *v);

#endif

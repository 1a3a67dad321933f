/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pci_priv.h - what the files of the PCI transport share.
 *
 * pci.c makes the function and carries interrupts, pci_common.c has the
 * common configuration registers, pci_notify.c kicks and doorbells,
 * pci_window.c the access through configuration space.
 */
#ifndef MOAT_VIRTIO_PCI_PRIV_H
#define MOAT_VIRTIO_PCI_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "pci/func.h"
#include "virtio/device.h"

/* The one BAR. */
#define VPCI_BAR 0

/* Bytes between the notify addresses of two queues. */
#define VPCI_NOTIFY_MULTIPLIER 4

/* [virtio 1.2, 4.1.5.1.2] */
#define VPCI_NO_VECTOR 0xffff

/* queue_reset is the last register.   [virtio 1.2, 4.1.4.3] */
#define VPCI_COMMON_LEN 60

struct vpci_queue {
	uint16_t vector;	   /* under the queue's lock */
	struct irq_source *source; /* that has been lent; NULL: none */
	bool belled;		   /* a doorbell is attached ... */
	uint64_t bell;		   /* ... at this address */
};

struct vpci {
	struct virtio_transport transport;
	struct virtio_dev *dev;
	struct pci_func func;
	struct doorbell_sink *doorbells; /* NULL: none */
	struct bus_region common, isr, config, notify;
	uint64_t notify_at; /* inside the BAR */
	unsigned window;    /* the PCI_CFG capability */

	/* Registers that are the transport's own. */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
	uint16_t config_vector;
	_Atomic uint8_t isr_status; /* queues set bits in it */

	struct vpci_queue queues[]; /* dev->nvqs of them */
};

extern const struct bus_ops vpci_common_ops;
extern const struct bus_ops vpci_notify_ops;

/* Queue @qi has another vector.  The queue's lock is held. */
void vpci_set_vector(struct vpci *v, unsigned qi, uint16_t vector);

/* Doorbells where they should be: running queues of a mapped BAR. */
void vpci_sync_doorbells(struct vpci *v);
/* Kick every running queue: a kick may have been lost. */
void vpci_kick_all(struct vpci *v);

/* Accesses to pci_cfg_data have their effect. */
int vpci_window_add(struct vpci *v);
void vpci_window_reading(struct vpci *v, unsigned off, unsigned size);
void vpci_window_written(struct vpci *v, unsigned off, unsigned size);

#endif

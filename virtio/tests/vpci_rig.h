/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vpci_rig.h - a fake device on the PCI transport on a host bridge on real
 * buses, and a driver that knows only configuration space and registers.
 *
 * Queues 0 and 1 have doorbells, queue 2 is served on the vCPU.
 */
#ifndef MOAT_VIRTIO_TESTS_VPCI_RIG_H
#define MOAT_VIRTIO_TESTS_VPCI_RIG_H

#include "core/bits.h"
#include "core/tests/fake_doorbell.h"
#include "core/tests/fake_irq.h"
#include "pci/func.h"
#include "pci/host.h"
#include "virtio/pci.h"
#include "virtio/pci_cap.h"
#include "virtio/tests/fake_dev.h"
#include "virtio/tests/vq_driver.h"

#define VRIG_QUEUES   3
#define VRIG_INLINE   2
#define VRIG_SIZE     64 /* of every queue */
#define VRIG_CONFIG   40 /* bytes, of which the driver may write ... */
#define VRIG_WRITABLE 8	 /* ... from here on */

#define VRIG_ECAM   UINT64_C(0xe0000000)
#define VRIG_MMIO64 UINT64_C(0x8000000000)
#define VRIG_FREE   UINT64_C(0x8010000000)

/* Registers of the common structure.   [virtio 1.2, 4.1.4.3] */
enum {
	REG_DEVICE_FEATURE_SELECT = 0,
	REG_DEVICE_FEATURE = 4,
	REG_DRIVER_FEATURE_SELECT = 8,
	REG_DRIVER_FEATURE = 12,
	REG_CONFIG_VECTOR = 16,
	REG_NUM_QUEUES = 18,
	REG_STATUS = 20,
	REG_GENERATION = 21,
	REG_QUEUE_SELECT = 22,
	REG_QUEUE_SIZE = 24,
	REG_QUEUE_VECTOR = 26,
	REG_QUEUE_ENABLE = 28,
	REG_QUEUE_NOTIFY_OFF = 30,
	REG_QUEUE_DESC = 32,
	REG_QUEUE_DRIVER = 40,
	REG_QUEUE_DEVICE = 48,
	REG_QUEUE_NOTIFY_DATA = 56,
	REG_QUEUE_RESET = 58,
};

struct vrig {
	struct gmem mem;
	struct dma id;
	struct loop *loop; /* NULL: kicks stay in the eventfds */
	struct bus mmio, pio;
	struct range closed;
	struct fake_msi msi;
	struct fake_doorbell bells;
	struct pci_host host;
	struct fake_dev dev;
	void (*unmake)(void); /* NULL: the device is @dev */
	struct virtio_dev *d;
	struct vpci *v;
	struct pci_func *f;
	struct vq_driver drv[VRIG_QUEUES];
	/* Where the structures are, inside the BAR, and the window. */
	uint64_t common, isr, config, notify;
	uint32_t config_len, notify_len, multiplier;
	unsigned window, msix;
};

struct vrig_options {
	bool no_doorbells;
	bool no_config;
	bool with_loop;
	/* In the place of the fake device: one with VRIG_QUEUES queues. */
	struct virtio_dev *(*make)(struct dma *dma);
	void (*unmake)(void);
};

void vrig_init(struct vrig *r, const struct vrig_options *options);
void vrig_fini(struct vrig *r);

/* Configuration space. */
uint64_t vrig_pci_read(struct vrig *r, unsigned off, unsigned size);
void vrig_pci_write(struct vrig *r, unsigned off, unsigned size, uint64_t val);
void vrig_command(struct vrig *r, uint16_t set, uint16_t clear);
void vrig_move(struct vrig *r, uint64_t to);

/* Anywhere in the BAR; the common structure; by the bus both. */
uint64_t vrig_read(struct vrig *r, uint64_t at, unsigned size);
void vrig_write(struct vrig *r, uint64_t at, unsigned size, uint64_t val);
uint64_t vrig_get(struct vrig *r, unsigned reg, unsigned size);
void vrig_set(struct vrig *r, unsigned reg, unsigned size, uint64_t val);

/* The driver's steps: up to FEATURES_OK; one queue; everything. */
void vrig_negotiate(struct vrig *r, uint64_t features);
void vrig_setup_queue(struct vrig *r, unsigned qi);
void vrig_start(struct vrig *r);

/* MSI-X on; @vector unmasked with data 0x100 + @vector. */
void vrig_msix_on(struct vrig *r);
void vrig_unmask(struct vrig *r, unsigned vector);

/* Add a buffer to queue @qi.  Ring its doorbell: as KVM, or by the bus. */
void vrig_add(struct vrig *r, unsigned qi);
uint64_t vrig_notify_at(struct vrig *r, unsigned qi);
bool vrig_ring(struct vrig *r, unsigned qi);

/* Take what is in the queue's eventfd: has it been kicked? */
bool vrig_kicked(struct vrig *r, unsigned qi);

#endif

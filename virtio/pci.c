/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/pci.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "pci/ids.h"
#include "pci/msix.h"
#include "pci/regs.h"
#include "virtio/pci_cap.h"
#include "virtio/pci_priv.h"

/*
 * Inside the BAR every structure has pages of its own, the notify addresses
 * above all: a host may map those pages differently.
 */
#define PAGE	      0x1000
#define COMMON_AT     0x0000
#define ISR_AT	      0x1000
#define CONFIG_AT     0x2000
#define ISR_LEN	      4
#define BAR_ALIGN(at) align_up(at, PAGE)

/*
 * Interrupts.
 */

static void queue_interrupt(struct virtio_transport *t, unsigned qi)
{
	struct vpci *v = container_of(t, struct vpci, transport);

	if (msix_enabled(v->func.msix))
		msix_raise(v->func.msix, v->queues[qi].vector);
	else
		atomic_fetch_or(&v->isr_status, VPCI_ISR_QUEUE);
}

static void queue_lend(struct virtio_transport *t, unsigned qi,
		       struct irq_source *s)
{
	struct vpci *v = container_of(t, struct vpci, transport);

	v->queues[qi].source = s;
	msix_lend(v->func.msix, v->queues[qi].vector, s);
}

static void queue_take_back(struct virtio_transport *t, unsigned qi)
{
	struct vpci *v = container_of(t, struct vpci, transport);

	msix_take_back(v->func.msix, v->queues[qi].vector,
		       v->queues[qi].source);
	v->queues[qi].source = NULL;
}

void vpci_set_vector(struct vpci *v, unsigned qi, uint16_t vector)
{
	struct vpci_queue *q = &v->queues[qi];

	if (q->source)
		msix_take_back(v->func.msix, q->vector, q->source);
	q->vector = vector;
	if (q->source)
		msix_lend(v->func.msix, vector, q->source);
}

static void config_interrupt(struct virtio_transport *t)
{
	struct vpci *v = container_of(t, struct vpci, transport);

	atomic_fetch_or(&v->isr_status, VPCI_ISR_CONFIG);
	msix_raise(v->func.msix, v->config_vector);
}

/* The table and its masks are PCI's and survive; what points there is ours. */
static void reset_registers(struct vpci *v)
{
	v->device_feature_select = 0;
	v->driver_feature_select = 0;
	v->queue_select = 0;
	v->config_vector = VPCI_NO_VECTOR;
	virtio_lock_queues(v->dev);
	for (unsigned i = 0; i < v->dev->nvqs; i++)
		vpci_set_vector(v, i, VPCI_NO_VECTOR);
	virtio_unlock_queues(v->dev);
	for (unsigned i = 0; i < msix_vectors(v->func.msix); i++)
		msix_clear_pending(v->func.msix, i);
	v->isr_status = 0;
	vpci_sync_doorbells(v);
}

static void reset_done(struct virtio_transport *t)
{
	reset_registers(container_of(t, struct vpci, transport));
}

static const struct virtio_transport_ops transport_ops = {
	.queue_interrupt = queue_interrupt,
	.queue_lend = queue_lend,
	.queue_take_back = queue_take_back,
	.config_interrupt = config_interrupt,
	.reset_done = reset_done,
};

/*
 * Structures in the BAR.
 */

/* Reading is acknowledging, whatever the width. */
static uint64_t isr_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct vpci *v = container_of(r, struct vpci, isr);

	(void)size;
	return off > 0 ? 0 : atomic_exchange(&v->isr_status, 0);
}

static void isr_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	(void)r, (void)off, (void)size, (void)val;
}

static const struct bus_ops isr_ops = {
	.read = isr_read,
	.write = isr_write,
};

static uint64_t config_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct vpci *v = container_of(r, struct vpci, config);

	return virtio_config_read(v->dev, off, size);
}

static void config_write(struct bus_region *r, uint64_t off, unsigned size,
			 uint64_t val)
{
	struct vpci *v = container_of(r, struct vpci, config);

	virtio_config_write(v->dev, off, size, val);
}

static const struct bus_ops config_ops = {
	.read = config_read,
	.write = config_write,
};

/*
 * The function.
 */

static struct vpci *to_vpci(struct pci_func *f)
{
	return container_of(f, struct vpci, func);
}

/* Without MSI-X the ISR shows in the PCI status register. */
static void func_config_reading(struct pci_func *f, unsigned off, unsigned size)
{
	struct vpci *v = to_vpci(f);

	pci_func_set_interrupt_status(f,
				      v->isr_status && !msix_enabled(f->msix));
	vpci_window_reading(v, off, size);
}

static void func_config_written(struct pci_func *f, unsigned off, unsigned size)
{
	vpci_window_written(to_vpci(f), off, size);
}

/* Whatever was rung while the BAR was on its way went nowhere. */
static void func_bar_mapped(struct pci_func *f, unsigned bar)
{
	(void)bar;
	vpci_sync_doorbells(to_vpci(f));
	vpci_kick_all(to_vpci(f));
}

static void func_bar_unmapped(struct pci_func *f, unsigned bar)
{
	(void)bar;
	vpci_sync_doorbells(to_vpci(f));
}

/* Without bus mastering no queue is served and no memory touched. */
static void func_bus_master_changed(struct pci_func *f)
{
	virtio_pause(to_vpci(f)->dev, !f->bus_master);
}

static const struct pci_func_ops func_ops = {
	.config_written = func_config_written,
	.config_reading = func_config_reading,
	.bar_mapped = func_bar_mapped,
	.bar_unmapped = func_bar_unmapped,
	.bus_master_changed = func_bus_master_changed,
};

static uint32_t class_of(uint32_t id)
{
	static const struct {
		uint32_t id, class_code;
	} classes[] = {
		{VIRTIO_ID_NET, PCI_CLASS_NETWORK},
		{VIRTIO_ID_BLOCK, PCI_CLASS_STORAGE_SCSI},
		{VIRTIO_ID_CONSOLE, PCI_CLASS_COMM_OTHER},
		{VIRTIO_ID_IOMMU, PCI_CLASS_SYSTEM_IOMMU},
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (classes[i].id == id)
			return classes[i].class_code;
	}
	return PCI_CLASS_NONE;
}

static void init_func(struct vpci *v)
{
	struct virtio_dev *d = v->dev;
	const struct pci_ids ids = {
		.vendor = PCI_VENDOR_VIRTIO,
		.device = (uint16_t)(PCI_DEVICE_VIRTIO_BASE + d->ops->id),
		.subsystem_vendor = PCI_VENDOR_VIRTIO,
		.subsystem = PCI_SUBSYSTEM_VIRTIO,
		.revision = 1, /* not a transitional device */
		.class_code = class_of(d->ops->id),
	};

	pci_func_init(&v->func, &func_ops, d->name, &d->lock, &ids);
}

static void init_region(struct vpci *v, struct bus_region *r,
			const struct bus_ops *ops, uint64_t size)
{
	*r = (struct bus_region){
		.ops = ops,
		.name = v->dev->name,
		.size = size,
		.lock = &v->dev->lock,
	};
}

/* Adds @r at @at of the BAR with a capability that says so. */
static int add_structure(struct vpci *v, uint8_t type, uint64_t at,
			 struct bus_region *r, unsigned cap_len)
{
	struct pci_config *c = &v->func.cfg;
	int rc = pci_cap_add(&v->func, PCI_CAP_ID_VENDOR, cap_len);
	unsigned cap;

	if (rc < 0)
		return rc;
	cap = (unsigned)rc;
	pci_config_set(c, cap + VPCI_CAP_LEN, 1, cap_len, 0);
	pci_config_set(c, cap + VPCI_CAP_TYPE, 1, type, 0);
	pci_config_set(c, cap + VPCI_CAP_BAR, 1, VPCI_BAR, 0);
	pci_config_set(c, cap + VPCI_CAP_OFFSET, 4, at, 0);
	pci_config_set(c, cap + VPCI_CAP_LENGTH, 4, r->size, 0);
	if (type == VPCI_CFG_NOTIFY)
		pci_config_set(c, cap + VPCI_CAP_MULTIPLIER, 4,
			       VPCI_NOTIFY_MULTIPLIER, 0);
	pci_bar_add_region(&v->func, VPCI_BAR, at, r);
	return 0;
}

/* Devices without configuration have no such structure. */
static int add_config(struct vpci *v)
{
	if (!v->config.size)
		return 0;
	return add_structure(v, VPCI_CFG_DEVICE, CONFIG_AT, &v->config,
			     VPCI_CAP_PLAIN_LEN);
}

static int add_structures(struct vpci *v)
{
	int rc;

	rc = add_structure(v, VPCI_CFG_COMMON, COMMON_AT, &v->common,
			   VPCI_CAP_PLAIN_LEN);
	if (!rc)
		rc = add_structure(v, VPCI_CFG_ISR, ISR_AT, &v->isr,
				   VPCI_CAP_PLAIN_LEN);
	if (!rc)
		rc = add_config(v);
	if (!rc)
		rc = add_structure(v, VPCI_CFG_NOTIFY, v->notify_at, &v->notify,
				   VPCI_CAP_NOTIFY_LEN);
	if (!rc)
		rc = vpci_window_add(v);
	return rc;
}

static uint64_t bar_size(uint64_t len)
{
	uint64_t size = PAGE;

	while (size < len)
		size <<= 1;
	return size;
}

/* A vector for each queue and one for the configuration. */
static int init_bar(struct vpci *v, struct msi_sink *msi, struct err *err)
{
	struct virtio_dev *d = v->dev;
	unsigned vectors = d->nvqs + 1;
	uint64_t table_at, pba_at;
	int rc;

	init_region(v, &v->common, &vpci_common_ops, VPCI_COMMON_LEN);
	init_region(v, &v->isr, &isr_ops, ISR_LEN);
	init_region(v, &v->config, &config_ops, align_up(d->config_len, 4));
	init_region(v, &v->notify, &vpci_notify_ops,
		    (uint64_t)d->nvqs * VPCI_NOTIFY_MULTIPLIER);
	v->notify_at = BAR_ALIGN(CONFIG_AT + v->config.size);
	table_at = BAR_ALIGN(v->notify_at + v->notify.size);
	pba_at = BAR_ALIGN(table_at + msix_table_size(vectors));
	pci_bar_init(&v->func, VPCI_BAR,
		     bar_size(pba_at + msix_pba_size(vectors)), true, false);
	rc = add_structures(v);
	if (rc)
		return err_set(err, -rc, "%s: no room for capabilities",
			       d->name);
	return msix_new(&v->func, vectors, VPCI_BAR, table_at, pba_at, msi,
			err);
}

int vpci_new(struct vpci **ret_v, struct virtio_dev *d, struct msi_sink *msi,
	     struct doorbell_sink *doorbells, struct err *err)
{
	struct vpci *v = calloc(1, sizeof(*v) + d->nvqs * sizeof(v->queues[0]));
	int rc;

	if (!v)
		return err_set(err, ENOMEM, "%s: no memory", d->name);
	v->transport.ops = &transport_ops;
	v->dev = d;
	v->doorbells = doorbells;
	init_func(v);
	rc = init_bar(v, msi, err);
	if (rc) {
		pci_func_fini(&v->func);
		free(v);
		return rc;
	}
	if (d->queue_locks)
		msix_share(v->func.msix);
	reset_registers(v);
	pthread_mutex_lock(&d->lock);
	virtio_attach(d, &v->transport);
	virtio_pause(d, true); /* bus mastering is off */
	pthread_mutex_unlock(&d->lock);
	*ret_v = v;
	return 0;
}

void vpci_free(struct vpci *v)
{
	if (!v)
		return;
	pci_func_fini(&v->func);
	pthread_mutex_lock(&v->dev->lock);
	virtio_attach(v->dev, NULL);
	pthread_mutex_unlock(&v->dev->lock);
	free(v);
}

struct pci_func *vpci_func(struct vpci *v)
{
	return &v->func;
}

void vpci_power_on_reset(struct vpci *v)
{
	pthread_mutex_lock(&v->dev->lock);
	virtio_reset(v->dev);
	reset_registers(v);
	pci_func_reset(&v->func);
	pthread_mutex_unlock(&v->dev->lock);
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/vpci_rig.h"

#include <assert.h>
#include <string.h>

#include "core/fd.h"
#include "pci/regs.h"

#define MEM_SIZE  MIB(2)
#define RING_BASE 0x10000
#define RING_LEN  0x40000

static uint64_t ecam_at(const struct vrig *r, unsigned off)
{
	return VRIG_ECAM + ((uint64_t)r->f->devfn << 12) + off;
}

uint64_t vrig_pci_read(struct vrig *r, unsigned off, unsigned size)
{
	return bus_read(&r->mmio, ecam_at(r, off), size);
}

void vrig_pci_write(struct vrig *r, unsigned off, unsigned size, uint64_t val)
{
	(void)bus_write(&r->mmio, ecam_at(r, off), size, val);
}

void vrig_command(struct vrig *r, uint16_t set, uint16_t clear)
{
	uint64_t command = vrig_pci_read(r, PCI_COMMAND, 2);

	vrig_pci_write(r, PCI_COMMAND, 2, (command | set) & ~(uint64_t)clear);
}

void vrig_move(struct vrig *r, uint64_t to)
{
	vrig_command(r, 0, PCI_COMMAND_MEMORY);
	vrig_pci_write(r, PCI_BAR0, 4, to & 0xffffffff);
	vrig_pci_write(r, PCI_BAR0 + 4, 4, to >> 32);
	vrig_command(r, PCI_COMMAND_MEMORY, 0);
}

static uint64_t bar(struct vrig *r)
{
	return vrig_pci_read(r, PCI_BAR0, 8) & ~UINT64_C(0xf);
}

uint64_t vrig_read(struct vrig *r, uint64_t at, unsigned size)
{
	return bus_read(&r->mmio, bar(r) + at, size);
}

void vrig_write(struct vrig *r, uint64_t at, unsigned size, uint64_t val)
{
	(void)bus_write(&r->mmio, bar(r) + at, size, val);
}

uint64_t vrig_get(struct vrig *r, unsigned reg, unsigned size)
{
	return vrig_read(r, r->common + reg, size);
}

void vrig_set(struct vrig *r, unsigned reg, unsigned size, uint64_t val)
{
	vrig_write(r, r->common + reg, size, val);
}

static void find_structure(struct vrig *r, unsigned cap)
{
	uint32_t off = (uint32_t)vrig_pci_read(r, cap + VPCI_CAP_OFFSET, 4);
	uint32_t len = (uint32_t)vrig_pci_read(r, cap + VPCI_CAP_LENGTH, 4);

	switch (vrig_pci_read(r, cap + VPCI_CAP_TYPE, 1)) {
	case VPCI_CFG_COMMON:
		r->common = off;
		break;
	case VPCI_CFG_NOTIFY:
		r->notify = off;
		r->notify_len = len;
		r->multiplier = (uint32_t)vrig_pci_read(
			r, cap + VPCI_CAP_MULTIPLIER, 4);
		break;
	case VPCI_CFG_ISR:
		r->isr = off;
		break;
	case VPCI_CFG_DEVICE:
		r->config = off;
		r->config_len = len;
		break;
	case VPCI_CFG_WINDOW:
		r->window = cap;
		break;
	default:
		break;
	}
}

static void find_structures(struct vrig *r)
{
	unsigned cap = (unsigned)vrig_pci_read(r, PCI_CAPABILITIES, 1);

	for (unsigned n = 0; cap && n < 48; n++) {
		uint64_t id = vrig_pci_read(r, cap, 1);

		if (id == PCI_CAP_ID_VENDOR)
			find_structure(r, cap);
		else if (id == PCI_CAP_ID_MSIX)
			r->msix = cap;
		cap = (unsigned)vrig_pci_read(r, cap + PCI_CAP_NEXT, 1);
	}
}

static void init_host(struct vrig *r)
{
	struct pci_host_config config = {
		.ecam_base = VRIG_ECAM,
		.ports = true,
		.mmio32 = {0xc0000000, 0xcfffffff},
		.mmio64 = {VRIG_MMIO64, VRIG_MMIO64 + GIB(1) - 1},
		.closed = &r->closed,
		.nclosed = 1,
	};
	int rc;

	r->closed = (struct range){0, MEM_SIZE - 1};
	bus_init(&r->mmio);
	bus_init(&r->pio);
	rc = pci_host_init(&r->host, &r->mmio, &r->pio, &config, NULL);
	assert(!rc);
}

static void init_dev(struct vrig *r, const struct vrig_options *o)
{
	static const uint16_t sizes[VRIG_QUEUES] = {VRIG_SIZE, VRIG_SIZE,
						    VRIG_SIZE};
	struct virtio_dev_env env = {
		.name = "fake0", .dma = &r->id, .loop = r->loop};
	int rc = fake_dev_init(&r->dev, &env, sizes, VRIG_QUEUES,
			       o->no_config ? 0 : VRIG_CONFIG);

	assert(!rc);
	r->d = &r->dev.vdev;
	for (unsigned i = 0; i < r->d->config_len; i++) {
		r->d->config[i] = (uint8_t)(0x80 + i);
		r->d->config_wmask[i] = i < VRIG_WRITABLE ? 0 : 0xff;
	}
}

void vrig_init(struct vrig *r, const struct vrig_options *options)
{
	static const struct vrig_options none;
	const struct gmem_slot slot = {.base = 0, .size = MEM_SIZE};
	const struct vrig_options *o = options ? options : &none;
	int rc;

	memset(r, 0, sizeof(*r));
	rc = gmem_init(&r->mem, &slot, 1, NULL);
	assert(!rc);
	dma_init(&r->id, &r->mem);
	if (o->with_loop) {
		rc = loop_new(&r->loop, NULL);
		assert(!rc);
	}
	fake_msi_init(&r->msi);
	fake_doorbell_init(&r->bells);
	init_host(r);
	if (o->make)
		r->d = o->make(&r->id);
	else
		init_dev(r, o);
	r->unmake = o->unmake;
	r->d->vqs[VRIG_INLINE].inline_kick = true;
	rc = vpci_new(&r->v, r->d, &r->msi.sink,
		      o->no_doorbells ? NULL : &r->bells.sink, NULL);
	assert(!rc);
	r->f = vpci_func(r->v);
	rc = pci_host_attach(&r->host, r->f, -1, NULL);
	assert(!rc);
	find_structures(r);
}

void vrig_fini(struct vrig *r)
{
	vpci_free(r->v);
	if (r->unmake)
		r->unmake();
	else
		fake_dev_fini(&r->dev);
	pci_host_fini(&r->host);
	fake_doorbell_fini(&r->bells);
	fake_msi_fini(&r->msi);
	bus_fini(&r->pio);
	bus_fini(&r->mmio);
	loop_free(r->loop);
	gmem_fini(&r->mem);
}

void vrig_negotiate(struct vrig *r, uint64_t features)
{
	vrig_set(r, REG_STATUS, 1, 0);
	vrig_set(r, REG_STATUS, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	vrig_set(r, REG_STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		vrig_set(r, REG_DRIVER_FEATURE_SELECT, 4, i);
		vrig_set(r, REG_DRIVER_FEATURE, 4, features >> 32 * i);
	}
	vrig_set(r, REG_STATUS, 1, 11);
	assert(vrig_get(r, REG_STATUS, 1) == 11);
}

void vrig_setup_queue(struct vrig *r, unsigned qi)
{
	struct vq_driver *v = &r->drv[qi];

	vqd_init(v, &r->id, RING_BASE + qi * RING_LEN, RING_LEN, VRIG_SIZE);
	v->event_idx = virtio_has(r->d, VIRTIO_F_EVENT_IDX);
	vrig_set(r, REG_QUEUE_SELECT, 2, qi);
	vrig_set(r, REG_QUEUE_SIZE, 2, VRIG_SIZE);
	vrig_set(r, REG_QUEUE_VECTOR, 2, qi + 1);
	vrig_set(r, REG_QUEUE_DESC, 8, v->desc);
	vrig_set(r, REG_QUEUE_DRIVER, 8, v->avail);
	vrig_set(r, REG_QUEUE_DEVICE, 8, v->used);
	vrig_set(r, REG_QUEUE_ENABLE, 2, 1);
}

void vrig_start(struct vrig *r)
{
	vrig_command(r, PCI_COMMAND_MASTER, 0);
	vrig_negotiate(r, r->d->offered & ~BIT_ULL(VIRTIO_F_EVENT_IDX));
	vrig_set(r, REG_CONFIG_VECTOR, 2, 0);
	for (unsigned i = 0; i < VRIG_QUEUES; i++)
		vrig_setup_queue(r, i);
	vrig_set(r, REG_STATUS, 1, 15);
	assert(r->d->running);
}

void vrig_msix_on(struct vrig *r)
{
	vrig_pci_write(r, r->msix + PCI_MSIX_CONTROL, 2,
		       PCI_MSIX_CONTROL_ENABLE);
}

void vrig_unmask(struct vrig *r, unsigned vector)
{
	uint64_t at = vrig_pci_read(r, r->msix + PCI_MSIX_TABLE, 4) +
		      (uint64_t)vector * PCI_MSIX_ENTRY_SIZE;

	vrig_write(r, at, 8, 0xfee00000);
	vrig_write(r, at + PCI_MSIX_ENTRY_DATA, 4, 0x100 + vector);
	vrig_write(r, at + PCI_MSIX_ENTRY_CONTROL, 4, 0);
}

void vrig_add(struct vrig *r, unsigned qi)
{
	struct vqd_buf buf = {.len = 16, .write = true};

	buf.at = vqd_alloc(&r->drv[qi], buf.len);
	(void)vqd_add(&r->drv[qi], &buf, 1);
}

uint64_t vrig_notify_at(struct vrig *r, unsigned qi)
{
	uint64_t off;

	vrig_set(r, REG_QUEUE_SELECT, 2, qi);
	off = vrig_get(r, REG_QUEUE_NOTIFY_OFF, 2);
	return bar(r) + r->notify + off * r->multiplier;
}

bool vrig_ring(struct vrig *r, unsigned qi)
{
	return fake_doorbell_write(&r->bells, &r->mmio, vrig_notify_at(r, qi),
				   2, qi);
}

bool vrig_kicked(struct vrig *r, unsigned qi)
{
	return eventfd_clear(r->d->vqs[qi].kick_fd);
}

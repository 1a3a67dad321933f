/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio.h"

#include "bare.h"
#include "guest-tests/topology/topology.h"
#include "pci.h"

#define NO_VECTOR 0xffffu

static volatile uint8_t *map_structure(struct vdev *v, const uint8_t *config,
				       uint8_t type, uint32_t *ret_len,
				       uint8_t *ret_cap)
{
	struct topo_structure s;
	uint64_t bar, size;
	uint32_t len;
	enum topo_result r = topo_find_structure(config, type, &s);

	if (r == TOPO_NO_STRUCTURE && type == TOPO_CFG_DEVICE)
		return NULL;
	if (r != TOPO_OK)
		fail("structure %u: %s", (uint64_t)type, topo_reason(r));
	bar = pci_bar(v->devfn, s.bar, &size);
	r = topo_usable_length(&s, bar ? size : 0, &len);
	if (r != TOPO_OK)
		fail("structure %u: %s", (uint64_t)type, topo_reason(r));
	if (ret_len)
		*ret_len = len;
	if (ret_cap)
		*ret_cap = s.cap;
	return map_device(bar + s.offset, len);
}

void vdev_open(struct vdev *v, uint8_t devfn)
{
	uint8_t config[256], notify_cap = 0;
	uint32_t command;

	*v = (struct vdev){.devfn = devfn};
	pci_snapshot(devfn, config);
	v->common = map_structure(v, config, TOPO_CFG_COMMON, NULL, NULL);
	v->notify =
		map_structure(v, config, TOPO_CFG_NOTIFY, NULL, &notify_cap);
	v->device =
		map_structure(v, config, TOPO_CFG_DEVICE, &v->device_len, NULL);
	v->multiplier = pci_read(devfn, notify_cap + 16u, 4);
	command = pci_read(devfn, PCI_COMMAND, 2);
	pci_write(devfn, PCI_COMMAND, 2,
		  command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

uint8_t vdev_status(const struct vdev *v)
{
	return (uint8_t)mmio_read(v->common + C_STATUS, 1);
}

static bool is_reset(void *arg)
{
	return vdev_status(arg) == 0;
}

void vdev_reset(struct vdev *v)
{
	mmio_write(v->common + C_STATUS, 1, 0);
	if (!wait_for(is_reset, v))
		fail("function %x does not reset", (uint64_t)v->devfn);
}

void vdev_add_status(struct vdev *v, uint8_t bits)
{
	mmio_write(v->common + C_STATUS, 1, vdev_status(v) | bits);
}

uint64_t vdev_features(struct vdev *v)
{
	uint64_t features;

	mmio_write(v->common + C_DEVICE_FEATURE_SELECT, 4, 0);
	features = mmio_read(v->common + C_DEVICE_FEATURE, 4);
	mmio_write(v->common + C_DEVICE_FEATURE_SELECT, 4, 1);
	return features | mmio_read(v->common + C_DEVICE_FEATURE, 4) << 32;
}

void vdev_negotiate(struct vdev *v, uint64_t features)
{
	vdev_reset(v);
	vdev_add_status(v, STATUS_ACKNOWLEDGE);
	vdev_add_status(v, STATUS_DRIVER);
	v->features = vdev_features(v) & (features | F_VERSION_1);
	mmio_write(v->common + C_DRIVER_FEATURE_SELECT, 4, 0);
	mmio_write(v->common + C_DRIVER_FEATURE, 4, (uint32_t)v->features);
	mmio_write(v->common + C_DRIVER_FEATURE_SELECT, 4, 1);
	mmio_write(v->common + C_DRIVER_FEATURE, 4, v->features >> 32);
	vdev_add_status(v, STATUS_FEATURES_OK);
	if (!(vdev_status(v) & STATUS_FEATURES_OK))
		fail("function %x refuses features %x", (uint64_t)v->devfn,
		     v->features);
}

void vdev_ready(struct vdev *v)
{
	vdev_add_status(v, STATUS_DRIVER_OK);
}

volatile struct ring_desc *ring_descs(struct ring *r)
{
	return (volatile struct ring_desc *)(void *)r->page;
}

volatile uint16_t *ring_avail(struct ring *r)
{
	return (volatile uint16_t *)(void *)(r->page + RING_AVAIL);
}

volatile uint16_t *ring_used(struct ring *r)
{
	return (volatile uint16_t *)(void *)(r->page + RING_USED);
}

/* 64-bit registers as two words, which every device has to take. */
static void write_address(struct vdev *v, unsigned reg, uint64_t val)
{
	mmio_write(v->common + reg, 4, (uint32_t)val);
	mmio_write(v->common + reg + 4, 4, val >> 32);
}

void vdev_queue(struct vdev *v, uint16_t index, struct ring *r, uint64_t offset,
		uint16_t vector)
{
	uint64_t at = (uintptr_t)r->page + offset;
	uint64_t notify_off;

	memset(r, 0, sizeof(*r));
	r->index = index;
	mmio_write(v->common + C_QUEUE_SELECT, 2, index);
	CHECK(mmio_read(v->common + C_QUEUE_SIZE, 2) >= RING_SIZE);
	mmio_write(v->common + C_QUEUE_SIZE, 2, RING_SIZE);
	mmio_write(v->common + C_QUEUE_VECTOR, 2, vector);
	CHECK_EQ(mmio_read(v->common + C_QUEUE_VECTOR, 2), vector);
	write_address(v, C_QUEUE_DESC, at);
	write_address(v, C_QUEUE_DRIVER, at + RING_AVAIL);
	write_address(v, C_QUEUE_DEVICE, at + RING_USED);
	notify_off = mmio_read(v->common + C_QUEUE_NOTIFY_OFF, 2);
	r->doorbell = v->notify + notify_off * v->multiplier;
	r->doorbell_size = 2;
	mmio_write(v->common + C_QUEUE_ENABLE, 2, 1);
}

uint16_t ring_add(struct ring *r, const struct piece *pieces, unsigned n)
{
	volatile struct ring_desc *d = ring_descs(r);
	volatile uint16_t *avail = ring_avail(r);
	uint16_t head = r->next_desc, at = head;

	for (unsigned i = 0; i < n; i++) {
		uint16_t next = (uint16_t)((at + 1) % RING_SIZE);

		d[at].addr = pieces[i].addr;
		d[at].len = pieces[i].len;
		d[at].flags = (uint16_t)((pieces[i].write ? DESC_WRITE : 0) |
					 (i + 1 < n ? DESC_NEXT : 0));
		d[at].next = next;
		at = next;
	}
	r->next_desc = at;
	avail[2 + avail[1] % RING_SIZE] = head;
	__asm__ volatile("" : : : "memory"); /* stores stay in order */
	avail[1]++;
	return head;
}

void ring_kick(struct ring *r)
{
	__asm__ volatile("" : : : "memory");
	mmio_write(r->doorbell, r->doorbell_size, r->index);
}

bool ring_has_used(struct ring *r)
{
	return ring_used(r)[1] != r->seen;
}

static bool has_used(void *arg)
{
	return ring_has_used(arg);
}

uint32_t ring_take(struct ring *r, uint16_t *ret_head)
{
	volatile uint32_t *entry;

	if (!wait_for(has_used, r))
		fail("queue %u does not answer", (uint64_t)r->index);
	__asm__ volatile("" : : : "memory");
	entry = (volatile uint32_t *)(void *)(r->page + RING_USED + 4 +
					      8 * (r->seen % RING_SIZE));
	r->seen++;
	if (ret_head)
		*ret_head = (uint16_t)entry[0];
	return entry[1];
}

#define CAP_MSIX      0x11
#define MSIX_CONTROL  2
#define MSIX_TABLE    4
#define MSIX_ENABLE   0x8000u
#define MSIX_MASK_ALL 0x4000u

void msix_enable(struct vdev *v, uint8_t data)
{
	uint8_t config[256];
	unsigned cap;
	uint32_t place;
	volatile uint8_t *entry;

	pci_snapshot(v->devfn, config);
	for (cap = config[0x34]; cap && config[cap] != CAP_MSIX;)
		cap = config[cap + 1];
	CHECK(cap != 0);
	place = pci_read(v->devfn, cap + MSIX_TABLE, 4);
	entry = map_device(pci_bar(v->devfn, place & 7, NULL) + (place & ~7u),
			   16);
	mmio_write(entry, 4, APIC_MSI_ADDRESS);
	mmio_write(entry + 4, 4, 0);
	mmio_write(entry + 8, 4, data);
	mmio_write(entry + 12, 4, 0); /* not masked */
	pci_write(v->devfn, cap + MSIX_CONTROL, 2, MSIX_ENABLE);
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu.h"

#include "bare.h"
#include "pci.h"

#define PROBE_SIZE_AT 32 /* in the configuration space */

/* All that are offered, a description's bits included. */
#define FEATURES (BIT(TOPO_F_NATIVE + 1) - 1)

enum { ATTACH = 1, DETACH, MAP, UNMAP, PROBE };

/* [virtio 1.2, 5.13.6]; the device writes what follows. */
struct head {
	uint8_t type, reserved[3];
	uint32_t domain;
};

struct attach {
	struct head head;
	uint32_t endpoint, flags;
	uint8_t reserved[4];
};

struct detach {
	struct head head;
	uint32_t endpoint;
	uint8_t reserved[8];
};

struct map {
	struct head head;
	uint64_t first, last, phys;
	uint32_t flags;
} __attribute__((packed));

struct unmap {
	struct head head;
	uint64_t first, last;
	uint8_t reserved[4];
} __attribute__((packed));

struct probe {
	uint8_t type, reserved[3];
	uint32_t endpoint;
	uint8_t reserved1[64];
};

_Static_assert(sizeof(struct attach) == 20, "[virtio 1.2, 5.13.6.3]");
_Static_assert(sizeof(struct detach) == 20, "[virtio 1.2, 5.13.6.4]");
_Static_assert(sizeof(struct map) == 36, "[virtio 1.2, 5.13.6.5]");
_Static_assert(sizeof(struct unmap) == 28, "[virtio 1.2, 5.13.6.6]");
_Static_assert(sizeof(struct probe) == 72, "[virtio 1.2, 5.13.6.7]");

static uint8_t bytes[TOPO_BYTES_MAX];

/* Once, with the generation the same before and after. */
static void read_config(const struct vdev *v)
{
	uint64_t generation;

	do {
		generation = mmio_read(v->common + C_GENERATION, 1);
		for (uint32_t n = 0; n < v->device_len; n++)
			bytes[n] = (uint8_t)mmio_read(v->device + n, 1);
	} while (mmio_read(v->common + C_GENERATION, 1) != generation);
}

enum topo_result iommu_read_topology(struct iommu *i)
{
	struct topo_self self = {.kind = TOPO_PCI};
	struct topo_where where;
	enum topo_result r;
	uint64_t features;

	vdev_open(&i->v,
		  pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_IOMMU), 0));
	self.requester = i->v.devfn;
	vdev_reset(&i->v);
	vdev_add_status(&i->v, STATUS_ACKNOWLEDGE);
	vdev_add_status(&i->v, STATUS_DRIVER);
	features = vdev_features(&i->v);
	read_config(&i->v);
	r = topo_parse(&i->topology, bytes, i->v.device_len, features, &self,
		       &where);
	if (r != TOPO_OK && r != TOPO_ABSENT)
		vdev_add_status(&i->v, STATUS_FAILED);
	vdev_reset(&i->v);
	say("topology: %s (items %u, %u)", topo_reason(r), (uint64_t)where.item,
	    (uint64_t)where.other);
	return r;
}

static void add_fault_buffer(struct iommu *i, unsigned n)
{
	const struct piece piece = {(uintptr_t)&i->faults[n],
				    sizeof(i->faults[n]), true};

	ring_add(&i->events, &piece, 1);
}

void iommu_start(struct iommu *i)
{
	vdev_negotiate(&i->v, FEATURES);
	vdev_queue(&i->v, 0, &i->requests, 0, 0xffff);
	vdev_queue(&i->v, 1, &i->events, 0, 0xffff);
	vdev_ready(&i->v);
	for (unsigned n = 0; n < IOMMU_FAULTS; n++)
		add_fault_buffer(i, n);
}

void iommu_open(struct iommu *i)
{
	enum topo_result r = iommu_read_topology(i);

	if (r != TOPO_OK)
		fail("%s", topo_reason(r));
	iommu_start(i);
}

static uint8_t request(struct iommu *i, const void *req, uint32_t len,
		       uint32_t reply_len)
{
	const struct piece pieces[] = {
		{(uintptr_t)i->request, len, false},
		{(uintptr_t)i->reply, reply_len, true},
	};
	uint32_t used;

	CHECK(len <= sizeof(i->request) && reply_len <= sizeof(i->reply));
	memcpy(i->request, req, len);
	memset(i->reply, IOMMU_SILENT, reply_len);
	ring_add(&i->requests, pieces, ARRAY_SIZE(pieces));
	ring_kick(&i->requests);
	used = ring_take(&i->requests, NULL);
	CHECK_EQ(used, reply_len);
	return *(volatile uint8_t *)&i->reply[reply_len - 4];
}

uint8_t iommu_attach(struct iommu *i, uint32_t domain, uint32_t endpoint,
		     uint32_t flags)
{
	const struct attach r = {{ATTACH, {0}, domain}, endpoint, flags, {0}};

	return request(i, &r, sizeof(r), 4);
}

uint8_t iommu_detach(struct iommu *i, uint32_t domain, uint32_t endpoint)
{
	const struct detach r = {{DETACH, {0}, domain}, endpoint, {0}};

	return request(i, &r, sizeof(r), 4);
}

uint8_t iommu_map(struct iommu *i, uint32_t domain, uint64_t first,
		  uint64_t last, uint64_t phys, uint32_t flags)
{
	const struct map r = {{MAP, {0}, domain}, first, last, phys, flags};

	return request(i, &r, sizeof(r), 4);
}

uint8_t iommu_unmap(struct iommu *i, uint32_t domain, uint64_t first,
		    uint64_t last)
{
	const struct unmap r = {{UNMAP, {0}, domain}, first, last, {0}};

	return request(i, &r, sizeof(r), 4);
}

uint8_t iommu_probe(struct iommu *i, uint32_t endpoint)
{
	const struct probe r = {PROBE, {0}, endpoint, {0}};
	uint32_t size = (uint32_t)mmio_read(i->v.device + PROBE_SIZE_AT, 4);

	return request(i, &r, sizeof(r), size + 4);
}

void iommu_map_memory(struct iommu *i, uint32_t domain, const void *at,
		      uint64_t size, uint64_t offset, uint32_t flags)
{
	uint64_t first = (uintptr_t)at & ~(uint64_t)(PAGE - 1);
	uint64_t last = ((uintptr_t)at + size - 1) | (PAGE - 1);

	CHECK_EQ(iommu_map(i, domain, first + offset, last + offset, first,
			   flags),
		 IOMMU_OK);
}

void iommu_take_fault(struct iommu *i, struct iommu_fault *ret_f)
{
	uint16_t head;

	CHECK_EQ(ring_take(&i->events, &head), sizeof(*ret_f));
	CHECK(head < IOMMU_FAULTS);
	*ret_f = i->faults[head];
}

uint32_t iommu_endpoint(const struct iommu *i, uint8_t devfn)
{
	uint32_t id;

	if (!topo_endpoint_of_pci(&i->topology, 0, devfn, &id))
		fail("function %x is not described", (uint64_t)devfn);
	return id;
}

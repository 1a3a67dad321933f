/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.h - the virtio-iommu.   [virtio 1.2, 5.13]
 */
#ifndef MOAT_BARE_IOMMU_H
#define MOAT_BARE_IOMMU_H

#include "guest-tests/topology/topology.h"
#include "virtio.h"

#define IOMMU_OK     0u
#define IOMMU_INVAL  4u
#define IOMMU_RANGE  5u
#define IOMMU_NOENT  6u
#define IOMMU_SILENT 0xeeu

#define ATTACH_BYPASS 1u
#define MAP_READ      1u
#define MAP_WRITE     2u

#define FAULT_DOMAIN  1u
#define FAULT_MAPPING 2u
#define FAULT_READ    1u
#define FAULT_WRITE   2u
#define FAULT_ADDRESS 0x100u

/* As the device writes it. */
struct iommu_fault {
	uint8_t reason, reserved[3];
	uint32_t flags, endpoint, reserved1;
	uint64_t address;
};

#define IOMMU_FAULTS 8

struct iommu {
	struct vdev v;
	struct ring requests, events;
	uint8_t request[256] __attribute__((aligned(64)));
	uint8_t reply[1024];
	struct iommu_fault faults[IOMMU_FAULTS];
	struct topo_list topology;
};

/* Find it and read its description; the device is reset before and after. */
enum topo_result iommu_read_topology(struct iommu *i);
/* The driver's part: features, both queues, buffers for faults. */
void iommu_start(struct iommu *i);
/* Both, and the description has to be good. */
void iommu_open(struct iommu *i);

/* Requests.  Return: the status. */
uint8_t iommu_attach(struct iommu *i, uint32_t domain, uint32_t endpoint,
		     uint32_t flags);
uint8_t iommu_detach(struct iommu *i, uint32_t domain, uint32_t endpoint);
uint8_t iommu_map(struct iommu *i, uint32_t domain, uint64_t first,
		  uint64_t last, uint64_t phys, uint32_t flags);
uint8_t iommu_unmap(struct iommu *i, uint32_t domain, uint64_t first,
		    uint64_t last);
/* Is the endpoint known?  Properties are in @i->reply. */
uint8_t iommu_probe(struct iommu *i, uint32_t endpoint);

/* Map whole pages of [at, at + size) at their address plus @offset. */
void iommu_map_memory(struct iommu *i, uint32_t domain, const void *at,
		      uint64_t size, uint64_t offset, uint32_t flags);

/* The next report; waits. */
void iommu_take_fault(struct iommu *i, struct iommu_fault *ret_f);

/* The endpoint id of a function; fails if it is not described. */
uint32_t iommu_endpoint(const struct iommu *i, uint8_t devfn);

#endif

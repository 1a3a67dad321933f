/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * request.h - virtio-iommu requests as bytes.   [virtio 1.2, 5.13.6]
 *
 * Pure functions: the device-readable bytes of a request in, a struct and a
 * verdict out; properties and faults the other way.  Everything that can be
 * decided without looking at a domain is decided here.
 */
#ifndef MOAT_IOMMU_REQUEST_H
#define MOAT_IOMMU_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iommu/iommu.h"

enum iommu_request_type {
	IOMMU_REQUEST_ATTACH = 1,
	IOMMU_REQUEST_DETACH = 2,
	IOMMU_REQUEST_MAP = 3,
	IOMMU_REQUEST_UNMAP = 4,
	IOMMU_REQUEST_PROBE = 5,
};

/* Device-readable bytes of the largest request (PROBE). */
#define IOMMU_REQUEST_READABLE_MAX 72
/* The tail: status and three reserved bytes. */
#define IOMMU_REQUEST_TAIL 4
/* A RESV_MEM property with its header. */
#define IOMMU_PROPERTY_RESV 24
/* A fault record. */
#define IOMMU_FAULT_RECORD 24

/* What the device and the driver agreed on. */
struct iommu_request_rules {
	uint32_t probe_size; /* 0: PROBE is not offered */
	bool mmio;	     /* the MMIO flag exists */
};

enum iommu_verdict {
	/* Nothing may be written; used length 0. */
	IOMMU_VERDICT_IGNORE,
	/* Complete with @status, everything else zero. */
	IOMMU_VERDICT_REJECT,
	/* Execute. */
	IOMMU_VERDICT_RUN,
};

struct iommu_request {
	enum iommu_request_type type; /* not for IGNORE */
	enum iommu_status status;     /* for REJECT, and by iommu_run() */
	uint64_t reply; /* bytes to write, the tail at their end */
	uint32_t domain, endpoint;
	iova_t first, last; /* MAP, UNMAP: first <= last */
	gpa_t phys;
	uint32_t flags; /* MAP: known ones only */
	bool bypass;	/* ATTACH */
};

/*
 * iommu_request_parse - decide.
 * @buf, @len: the device-readable half, or its first
 * IOMMU_REQUEST_READABLE_MAX bytes; never read past
 * @writable: size of the device-writable half
 */
enum iommu_verdict iommu_request_parse(const uint8_t *buf, size_t len,
				       uint64_t writable,
				       const struct iommu_request_rules *rules,
				       struct iommu_request *ret_r);

/* The tail for @status. */
void iommu_request_tail(uint8_t dst[IOMMU_REQUEST_TAIL],
			enum iommu_status status);

/* One RESV_MEM property.   [virtio 1.2, 5.13.6.8.1] */
void iommu_property_resv(uint8_t dst[IOMMU_PROPERTY_RESV],
			 const struct iommu_resv_region *r);

/* One fault record.   [virtio 1.2, 5.13.6.9] */
void iommu_fault_record(uint8_t dst[IOMMU_FAULT_RECORD],
			const struct iommu_fault *f);

#endif

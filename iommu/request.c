/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/request.h"

#include <assert.h>
#include <string.h>

#include "core/le.h"

struct head_wire {
	uint8_t type;
	uint8_t reserved[3];
};

struct attach_wire {
	struct head_wire head;
	le32_t domain;
	le32_t endpoint;
	le32_t flags;
	uint8_t reserved[4];
};
static_assert(sizeof(struct attach_wire) == 20, "[virtio 1.2, 5.13.6.3]");
#define ATTACH_BYPASS 1u

struct detach_wire {
	struct head_wire head;
	le32_t domain;
	le32_t endpoint;
	uint8_t reserved[8];
};
static_assert(sizeof(struct detach_wire) == 20, "[virtio 1.2, 5.13.6.4]");

struct map_wire {
	struct head_wire head;
	le32_t domain;
	le64_t virt_start;
	le64_t virt_end;
	le64_t phys_start;
	le32_t flags;
} __attribute__((packed));
static_assert(sizeof(struct map_wire) == 36, "[virtio 1.2, 5.13.6.5]");

struct unmap_wire {
	struct head_wire head;
	le32_t domain;
	le64_t virt_start;
	le64_t virt_end;
	uint8_t reserved[4];
} __attribute__((packed));
static_assert(sizeof(struct unmap_wire) == 28, "[virtio 1.2, 5.13.6.6]");

struct probe_wire {
	struct head_wire head;
	le32_t endpoint;
	uint8_t reserved[64];
};
static_assert(sizeof(struct probe_wire) == IOMMU_REQUEST_READABLE_MAX,
	      "[virtio 1.2, 5.13.6.7]");

struct tail_wire {
	uint8_t status;
	uint8_t reserved[3];
};
static_assert(sizeof(struct tail_wire) == IOMMU_REQUEST_TAIL,
	      "[virtio 1.2, 5.13.6]");

struct resv_mem_wire {
	le16_t type;
	le16_t length;
	uint8_t subtype;
	uint8_t reserved[3];
	le64_t start;
	le64_t end;
};
static_assert(sizeof(struct resv_mem_wire) == IOMMU_PROPERTY_RESV,
	      "[virtio 1.2, 5.13.6.8.1]");
#define PROPERTY_RESV_MEM 1
#define PROPERTY_HEADER	  4

struct fault_wire {
	uint8_t reason;
	uint8_t reserved[3];
	le32_t flags;
	le32_t endpoint;
	le32_t reserved1;
	le64_t address;
};
static_assert(sizeof(struct fault_wire) == IOMMU_FAULT_RECORD,
	      "[virtio 1.2, 5.13.6.9]");
#define FAULT_READ    1u
#define FAULT_WRITE   2u
#define FAULT_ADDRESS 0x100u

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static enum iommu_verdict reject(struct iommu_request *r,
				 enum iommu_status status)
{
	r->status = status;
	return IOMMU_VERDICT_REJECT;
}

/* Reserved bytes of ATTACH are checked, those of DETACH and PROBE ignored. */
static enum iommu_verdict parse_attach(const uint8_t *buf,
				       struct iommu_request *r)
{
	struct attach_wire w;
	uint32_t flags;

	memcpy(&w, buf, sizeof(w));
	flags = le32_get(w.flags);
	if (!all_zero(w.reserved, sizeof(w.reserved)) ||
	    (flags & ~ATTACH_BYPASS))
		return reject(r, IOMMU_INVAL);
	r->domain = le32_get(w.domain);
	r->endpoint = le32_get(w.endpoint);
	r->bypass = flags & ATTACH_BYPASS;
	return IOMMU_VERDICT_RUN;
}

static enum iommu_verdict parse_detach(const uint8_t *buf,
				       struct iommu_request *r)
{
	struct detach_wire w;

	memcpy(&w, buf, sizeof(w));
	r->domain = le32_get(w.domain);
	r->endpoint = le32_get(w.endpoint);
	return IOMMU_VERDICT_RUN;
}

static enum iommu_verdict parse_map(const uint8_t *buf,
				    const struct iommu_request_rules *rules,
				    struct iommu_request *r)
{
	uint32_t known = IOMMU_MAP_READ | IOMMU_MAP_WRITE |
			 (rules->mmio ? IOMMU_MAP_MMIO : 0);
	struct map_wire w;

	memcpy(&w, buf, sizeof(w));
	r->domain = le32_get(w.domain);
	r->first = le64_get(w.virt_start);
	r->last = le64_get(w.virt_end);
	r->phys = le64_get(w.phys_start);
	r->flags = le32_get(w.flags);
	if (r->last < r->first || (r->flags & ~known))
		return reject(r, IOMMU_INVAL);
	return IOMMU_VERDICT_RUN;
}

/* Of the two answers to reserved != 0 that the text allows, the strict one. */
static enum iommu_verdict parse_unmap(const uint8_t *buf,
				      struct iommu_request *r)
{
	struct unmap_wire w;

	memcpy(&w, buf, sizeof(w));
	r->domain = le32_get(w.domain);
	r->first = le64_get(w.virt_start);
	r->last = le64_get(w.virt_end);
	if (r->last < r->first || !all_zero(w.reserved, sizeof(w.reserved)))
		return reject(r, IOMMU_INVAL);
	return IOMMU_VERDICT_RUN;
}

static enum iommu_verdict parse_probe(const uint8_t *buf,
				      struct iommu_request *r)
{
	struct probe_wire w;

	memcpy(&w, buf, sizeof(w));
	r->endpoint = le32_get(w.endpoint);
	return IOMMU_VERDICT_RUN;
}

/* Device-readable bytes of a request; 0: the type is not known. */
static size_t readable_size(uint8_t type,
			    const struct iommu_request_rules *rules)
{
	switch (type) {
	case IOMMU_REQUEST_ATTACH:
		return sizeof(struct attach_wire);
	case IOMMU_REQUEST_DETACH:
		return sizeof(struct detach_wire);
	case IOMMU_REQUEST_MAP:
		return sizeof(struct map_wire);
	case IOMMU_REQUEST_UNMAP:
		return sizeof(struct unmap_wire);
	case IOMMU_REQUEST_PROBE:
		return rules->probe_size ? sizeof(struct probe_wire) : 0;
	default:
		return 0;
	}
}

/*
 * How much is written: the layout's own size, so that a longer buffer has its
 * tail where a driver looks for it.  A PROBE buffer that is too short has it
 * at its end: there it can be found, and status INVAL be told.
 */
static uint64_t reply_size(enum iommu_request_type type, uint64_t writable,
			   const struct iommu_request_rules *rules)
{
	uint64_t want = IOMMU_REQUEST_TAIL;

	if (type == IOMMU_REQUEST_PROBE)
		want += rules->probe_size;
	return writable < want ? writable : want;
}

enum iommu_verdict iommu_request_parse(const uint8_t *buf, size_t len,
				       uint64_t writable,
				       const struct iommu_request_rules *rules,
				       struct iommu_request *ret_r)
{
	struct iommu_request *r = ret_r;
	size_t need;

	*r = (struct iommu_request){0};
	if (len < sizeof(struct head_wire) || writable < IOMMU_REQUEST_TAIL)
		return IOMMU_VERDICT_IGNORE;
	need = readable_size(buf[0], rules);
	if (need == 0)
		return IOMMU_VERDICT_IGNORE;
	r->type = (enum iommu_request_type)buf[0];
	r->reply = reply_size(r->type, writable, rules);
	if (len < need)
		return reject(r, IOMMU_INVAL);
	switch (r->type) {
	case IOMMU_REQUEST_ATTACH:
		return parse_attach(buf, r);
	case IOMMU_REQUEST_DETACH:
		return parse_detach(buf, r);
	case IOMMU_REQUEST_MAP:
		return parse_map(buf, rules, r);
	case IOMMU_REQUEST_UNMAP:
		return parse_unmap(buf, r);
	case IOMMU_REQUEST_PROBE:
		if (r->reply < (uint64_t)rules->probe_size + IOMMU_REQUEST_TAIL)
			return reject(r, IOMMU_INVAL);
		return parse_probe(buf, r);
	}
	return IOMMU_VERDICT_IGNORE;
}

void iommu_request_tail(uint8_t dst[IOMMU_REQUEST_TAIL],
			enum iommu_status status)
{
	const struct tail_wire w = {.status = (uint8_t)status};

	memcpy(dst, &w, sizeof(w));
}

void iommu_property_resv(uint8_t dst[IOMMU_PROPERTY_RESV],
			 const struct iommu_resv_region *r)
{
	const struct resv_mem_wire w = {
		.type = le16_put(PROPERTY_RESV_MEM),
		.length = le16_put(sizeof(w) - PROPERTY_HEADER),
		.subtype = (uint8_t)r->kind,
		.start = le64_put(r->first),
		.end = le64_put(r->last),
	};

	memcpy(dst, &w, sizeof(w));
}

void iommu_fault_record(uint8_t dst[IOMMU_FAULT_RECORD],
			const struct iommu_fault *f)
{
	const struct fault_wire w = {
		.reason = (uint8_t)f->reason,
		.flags = le32_put(
			FAULT_ADDRESS |
			(f->access == DMA_WRITE ? FAULT_WRITE : FAULT_READ)),
		.endpoint = le32_put(f->endpoint),
		.address = le64_put(f->at),
	};

	memcpy(dst, &w, sizeof(w));
}

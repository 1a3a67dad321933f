/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/trace_record.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/bits.h"
#include "core/dma.h"
#include "core/le.h"
#include "iommu/iommu.h"
#include "iommu/request.h"

struct head_wire {
	uint8_t magic[12];
	le32_t version;
};
static_assert(sizeof(struct head_wire) == TRACE_HEAD, "the file's format");

struct record_wire {
	le64_t time_ns;
	uint8_t kind, status, access, bypass;
	le32_t endpoint, domain, flags;
	le64_t first, last, phys;
};
static_assert(sizeof(struct record_wire) == TRACE_RECORD, "the file's format");

#define VERSION 1
static const uint8_t magic[12] = "moat-trace\n";

void trace_head_put(uint8_t dst[TRACE_HEAD])
{
	struct head_wire w = {.version = le32_put(VERSION)};

	memcpy(w.magic, magic, sizeof(magic));
	memcpy(dst, &w, sizeof(w));
}

bool trace_head_ok(const uint8_t src[TRACE_HEAD])
{
	uint8_t want[TRACE_HEAD];

	trace_head_put(want);
	return memcmp(src, want, sizeof(want)) == 0;
}

void trace_record_put(uint8_t dst[TRACE_RECORD], const struct trace_record *r)
{
	const struct record_wire w = {
		.time_ns = le64_put(r->time_ns),
		.kind = r->kind,
		.status = r->status,
		.access = r->access,
		.bypass = r->bypass,
		.endpoint = le32_put(r->endpoint),
		.domain = le32_put(r->domain),
		.flags = le32_put(r->flags),
		.first = le64_put(r->first),
		.last = le64_put(r->last),
		.phys = le64_put(r->phys),
	};

	memcpy(dst, &w, sizeof(w));
}

void trace_record_get(struct trace_record *r, const uint8_t src[TRACE_RECORD])
{
	struct record_wire w;

	memcpy(&w, src, sizeof(w));
	*r = (struct trace_record){
		.time_ns = le64_get(w.time_ns),
		.kind = w.kind,
		.status = w.status,
		.access = w.access,
		.bypass = w.bypass,
		.endpoint = le32_get(w.endpoint),
		.domain = le32_get(w.domain),
		.flags = le32_get(w.flags),
		.first = le64_get(w.first),
		.last = le64_get(w.last),
		.phys = le64_get(w.phys),
	};
}

static const char *const statuses[] = {
	"OK",	 "IOERR", "UNSUPP", "DEVERR", "INVAL",
	"RANGE", "NOENT", "FAULT",  "NOMEM",
};
static const char *const reasons[] = {"unknown", "no domain", "no mapping"};

bool trace_record_ok(const struct trace_record *r)
{
	if (r->kind == TRACE_FAULT)
		return r->status < ARRAY_SIZE(reasons);
	return r->kind >= IOMMU_REQUEST_ATTACH &&
	       r->kind <= IOMMU_REQUEST_PROBE &&
	       r->status < ARRAY_SIZE(statuses);
}

static const char *status_text(uint8_t status)
{
	return status < ARRAY_SIZE(statuses) ? statuses[status] : "?";
}

static void print_map(const struct trace_record *r, FILE *out)
{
	fprintf(out,
		"map domain %" PRIu32 " %#" PRIx64 "-%#" PRIx64 " to %#" PRIx64
		" %s%s%s",
		r->domain, r->first, r->last, r->phys,
		r->flags & IOMMU_MAP_READ ? "r" : "-",
		r->flags & IOMMU_MAP_WRITE ? "w" : "-",
		r->flags & IOMMU_MAP_MMIO ? " mmio" : "");
}

static void print_fault(const struct trace_record *r, FILE *out)
{
	fprintf(out, "fault endpoint %" PRIu32 " %s %#" PRIx64 ": %s\n",
		r->endpoint, r->access == DMA_WRITE ? "write" : "read",
		r->first,
		r->status < ARRAY_SIZE(reasons) ? reasons[r->status] : "?");
}

void trace_record_print(const struct trace_record *r, FILE *out)
{
	fprintf(out, "%" PRIu64 ".%09" PRIu64 " ", r->time_ns / 1000000000,
		r->time_ns % 1000000000);
	switch (r->kind) {
	case IOMMU_REQUEST_ATTACH:
		fprintf(out, "attach endpoint %" PRIu32 " to %sdomain %" PRIu32,
			r->endpoint, r->bypass ? "bypass " : "", r->domain);
		break;
	case IOMMU_REQUEST_DETACH:
		fprintf(out, "detach endpoint %" PRIu32 " from domain %" PRIu32,
			r->endpoint, r->domain);
		break;
	case IOMMU_REQUEST_MAP:
		print_map(r, out);
		break;
	case IOMMU_REQUEST_UNMAP:
		fprintf(out, "unmap domain %" PRIu32 " %#" PRIx64 "-%#" PRIx64,
			r->domain, r->first, r->last);
		break;
	case IOMMU_REQUEST_PROBE:
		fprintf(out, "probe endpoint %" PRIu32, r->endpoint);
		break;
	case TRACE_FAULT:
		print_fault(r, out);
		return;
	default:
		fprintf(out, "unknown %u", r->kind);
		break;
	}
	fprintf(out, ": %s\n", status_text(r->status));
}

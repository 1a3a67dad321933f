/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * trace_record.h - what stands in the file of 'moat run --trace'.
 *
 * A head of TRACE_HEAD bytes, then records of TRACE_RECORD bytes, all
 * little-endian.
 */
#ifndef MOAT_VMM_MACHINE_TRACE_RECORD_H
#define MOAT_VMM_MACHINE_TRACE_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_HEAD   16
#define TRACE_RECORD 48

/* Requests are those of the device: 1 ATTACH to 5 PROBE. */
#define TRACE_FAULT 0x80

struct trace_record {
	uint64_t time_ns; /* since the trace began */
	uint8_t kind;	  /* a request's type, or TRACE_FAULT */
	uint8_t status;	  /* of a request; a fault's reason */
	uint8_t access;	  /* of a fault: enum dma_access */
	bool bypass;	  /* ATTACH */
	uint32_t endpoint, domain;
	uint32_t flags;	      /* MAP */
	uint64_t first, last; /* MAP, UNMAP; a fault's address is first */
	uint64_t phys;	      /* MAP */
};

void trace_head_put(uint8_t dst[TRACE_HEAD]);
/* Is it the head of a trace that this version can read? */
bool trace_head_ok(const uint8_t src[TRACE_HEAD]);

void trace_record_put(uint8_t dst[TRACE_RECORD], const struct trace_record *r);
void trace_record_get(struct trace_record *r, const uint8_t src[TRACE_RECORD]);

/* Whether moat can have written it. */
bool trace_record_ok(const struct trace_record *r);

/* One line for people; any bytes make one. */
void trace_record_print(const struct trace_record *r, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * line.h - what goes over a control socket.
 *
 * One request, one answer, then the server closes.  A request is a line:
 *
 *	iommu			the state of every endpoint
 *	map ENDPOINT FROM	mappings of one, by address, from FROM on
 *	stats			what every device has done
 *	balloon BYTES		have the guest give up so much memory
 *
 * The answer is lines of JSON: an "endpoint", "first" or "device" object for
 * each, then "end", or "next" with the FROM that goes on; or one "error".
 * Objects are flat and have their members in one order; addresses are strings
 * in hexadecimal.  A "device" may have more members behind those of all.
 */
#ifndef MOAT_VMM_CONTROL_LINE_H
#define MOAT_VMM_CONTROL_LINE_H

#include <stdint.h>
#include <stdio.h>

#include "vmm/machine/machine.h"

#define CONTROL_REQUEST_MAX 64 /* the newline included */
#define CONTROL_LINE_MAX    1024
#define CONTROL_ERROR_MAX   128

enum control_kind {
	CONTROL_ENDPOINT,
	CONTROL_MAPPING,
	CONTROL_DEVICE,
	CONTROL_NEXT, /* there is more: ask again from here */
	CONTROL_END,
	CONTROL_ERROR,
};

struct control_line {
	enum control_kind kind;
	struct iommu_endpoint_state endpoint;
	/* The largest of the first @examined mappings. */
	uint64_t largest, examined;
	struct iommu_mapping mapping;
	struct mach_device_stats device;
	iova_t next;
	char error[CONTROL_ERROR_MAX];
};

/* "rw", or "-" for none; valid until the program ends. */
const char *control_flags(uint32_t flags);

/* With its newline. */
void control_line_print(const struct control_line *l, FILE *out);
/*
 * control_line_parse - a line without its newline, whatever it is.
 * Return: 0; -EPROTO, with *ret_l undefined.
 */
int control_line_parse(struct control_line *ret_l, const char *text);

#endif

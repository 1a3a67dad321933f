/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The request parser: any bytes, any sizes.
 *
 * The input is one byte of rules, two of the writable half's size, and the
 * request, given to the parser in a block of exactly its length.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "iommu/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_run(const struct iommu_request *r, uint64_t probe_size)
{
	assert(r->type >= IOMMU_REQUEST_ATTACH &&
	       r->type <= IOMMU_REQUEST_PROBE);
	if (r->type == IOMMU_REQUEST_MAP || r->type == IOMMU_REQUEST_UNMAP)
		assert(r->first <= r->last);
	assert(!(r->flags &
		 ~(IOMMU_MAP_READ | IOMMU_MAP_WRITE | IOMMU_MAP_MMIO)));
	assert(r->reply ==
	       IOMMU_REQUEST_TAIL +
		       (r->type == IOMMU_REQUEST_PROBE ? probe_size : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct iommu_request_rules rules;
	struct iommu_request r;
	uint64_t writable;
	uint8_t *request;

	if (len < 3)
		return 0;
	rules.probe_size = data[0] & 1 ? 512 : 0;
	rules.mmio = data[0] & 2;
	writable = le16_load(data + 1);
	if (data[0] & 4)
		writable = ~writable;
	data += 3;
	len -= 3;
	request = malloc(len ? len : 1);
	if (!request)
		return 0;
	memcpy(request, data, len);

	switch (iommu_request_parse(request, len, writable, &rules, &r)) {
	case IOMMU_VERDICT_IGNORE:
		break;
	case IOMMU_VERDICT_REJECT:
		assert(r.reply >= IOMMU_REQUEST_TAIL && r.reply <= writable);
		assert(r.status == IOMMU_INVAL);
		break;
	case IOMMU_VERDICT_RUN:
		assert(r.reply <= writable);
		check_run(&r, rules.probe_size);
		break;
	}
	free(request);
	return 0;
}

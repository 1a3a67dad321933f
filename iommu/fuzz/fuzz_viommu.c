/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A guest that rings with anything in its request queue: sequences of
 * requests, well-formed or not, with device accesses in between.
 *
 * The input is a list of steps: kind (1), length (1), that many bytes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "iommu/tests/viommu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEPS_MAX 200

static struct vrig v;
static bool made;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void unmake(void)
{
	vrig_fini(&v);
}

static void make(void)
{
	if (!made) {
		log_set_sink(drop_line);
		vrig_init(&v, IOMMU_TOPOLOGY_NATIVE, NULL);
		made = true;
		(void)atexit(unmake);
	}
	vrig_up(&v, VRIG_FEATURES);
}

/* Few addresses and domains, so that requests meet. */
static iova_t address(uint8_t b)
{
	static const iova_t near[] = {0, GIB(1) - MIB(1), RIG_MSI_FIRST,
				      TOP - MIB(1) + 1};

	return near[b >> 6] + (b & 63) * (b & 32 ? MIB(2) / 64 : PAGE);
}

/* A request that means something, from six bytes. */
static uint32_t compose(uint8_t dst[72], const uint8_t b[6])
{
	iova_t first = address(b[2]);
	iova_t last = first + (b[3] & 64 ? GIB(b[3] & 63) : b[3] * PAGE) +
		      (b[4] & 128 ? 0 : PAGE - 1);

	switch (b[0] % 5) {
	case 0:
		vrig_put_attach(dst, b[1] % 3, 1 + b[5] % 4, b[4] & 1);
		return 20;
	case 1:
		vrig_put_detach(dst, b[1] % 3, 1 + b[5] % 4);
		return 20;
	case 2:
		vrig_put_map(dst, b[1] % 3, first, last, b[5] * MIB(1),
			     b[4] & 15);
		return 36;
	case 3:
		vrig_put_unmap(dst, b[1] % 3, first, last);
		return 28;
	default:
		vrig_put_probe(dst, b[5] % 5);
		return 72;
	}
}

static void send(const uint8_t *request, uint32_t readable, uint32_t writable)
{
	uint8_t reply[600];
	uint32_t used;

	/* A heap that never gets memory back. */
	if (v.req.heap_end - v.req.heap < KIB(64)) {
		vrig_reset(&v);
		vrig_up(&v, VRIG_FEATURES);
	}
	if (readable + writable == 0)
		return;
	used = vrig_send(&v, request, readable, reply, writable);
	assert(used <= writable);
	assert(used == 0 || (reply[used - 4] <= IOMMU_NOMEM &&
			     reply[used - 4] != IOMMU_IOERR));
}

static void access(const uint8_t b[6])
{
	struct iovec iov[4];
	struct dma_hold hold;
	int n = dma_iov(v.rig.dma[1 + b[0] % RIG_ENDPOINTS],
			b[1] & 1 ? DMA_WRITE : DMA_READ, address(b[2]) + b[3],
			1 + le16_load(b + 4), iov, ARRAY_SIZE(iov), &hold);

	dma_done(&hold);
	assert(n > 0 || n == -14 || n == -7);
}

static void step(uint8_t kind, const uint8_t *b, uint32_t n)
{
	uint8_t request[72];
	uint8_t six[6] = {0};

	memcpy(six, b, min_u64(n, 6));
	switch (kind % 8) {
	case 0:
		send(b, n, kind >> 3);
		break;
	case 1:
		vrig_config_write(&v, 36, 1, six[0]);
		assert(vrig_config(&v, 36, 1) <= 1);
		break;
	case 2:
	case 3:
		access(six);
		break;
	default:
		n = compose(request, six);
		send(request, n, request[0] == 5 ? 516 : 4);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	make();
	for (unsigned n = 0; n < STEPS_MAX && len >= 2; n++) {
		uint8_t kind = data[0];
		uint32_t size = (uint32_t)min_u64(data[1], len - 2);

		step(kind, data + 2, size);
		data += 2 + size;
		len -= 2 + size;
	}
	assert(v.d->running);
	vrig_reset(&v);

	struct iommu_stats s;

	iommu_get_stats(v.rig.i, &s);
	assert(s.domains == 0 && s.mappings == 0 && s.mapped_bytes == 0);
	assert(s.table_bytes == 0);
	iommu_set_bypass(v.rig.i, false);
	return 0;
}

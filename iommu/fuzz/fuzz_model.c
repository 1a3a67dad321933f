/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Sequences of requests through a real ring, and accesses of devices, against
 * the model in model.h: every answer is compared, and where accesses go.
 *
 * The input is a list of steps of 9 bytes.  Steps drawn from it follow, so that
 * short inputs get deep, too.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "iommu/fuzz/model.h"
#include "iommu/tests/viommu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEP	  9
#define STEPS_MAX 300
#define DRAWN	  200
#define PIECES	  8

static const struct iommu_resv_region own2[] = {
	{IOMMU_RESV_RESERVED, 0x10000, 0x10fff},
	{IOMMU_RESV_RESERVED, GIB(1), GIB(1) + 5},
};
static const struct iommu_resv_region all[] = {
	{IOMMU_RESV_MSI, RIG_MSI_FIRST, RIG_MSI_LAST},
	{IOMMU_RESV_RESERVED, 0x20000, 0x20fff},
};
static const struct iommu_resv_region both[] = {
	{IOMMU_RESV_MSI, RIG_MSI_FIRST, RIG_MSI_LAST},
	{IOMMU_RESV_RESERVED, 0x20000, 0x20fff},
	{IOMMU_RESV_RESERVED, 0x10000, 0x10fff},
	{IOMMU_RESV_RESERVED, GIB(1), GIB(1) + 5},
};

static struct vrig v;
static struct model m;
static bool made;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void reserve(struct rig *r)
{
	int err =
		iommu_endpoint_reserve(r->ep[2], own2, ARRAY_SIZE(own2), NULL);

	assert(err == 0);
}

static void unmake(void)
{
	vrig_fini(&v);
}

static void make(void)
{
	struct iommu_config c = rig_config();

	c.resv = all;
	c.nresv = ARRAY_SIZE(all);
	c.input_first = 0x1000;
	c.domain_first = 1;
	c.domain_last = 5;
	c.max_domains = 2;
	c.max_mappings = 24;
	if (!made) {
		log_set_sink(drop_line);
		vrig_init_prepared(&v, IOMMU_TOPOLOGY_NONE, &c, reserve);
		made = true;
		(void)atexit(unmake);
	}
	vrig_up(&v, VRIG_FEATURES);
	m = (struct model){.config = c};
	for (unsigned ep = 1; ep <= RIG_ENDPOINTS; ep++) {
		m.resv[ep] = ep == 2 ? both : all;
		m.nresv[ep] = ep == 2 ? ARRAY_SIZE(both) : ARRAY_SIZE(all);
	}
}

/* Few places around borders, so that requests meet; now and then not aligned. */
static iova_t address(const uint8_t *b)
{
	static const iova_t near[] = {
		PAGE,
		0x10000 - 4 * PAGE,
		0x20000 - 4 * PAGE,
		GIB(1) - 4 * PAGE,
		RIG_MSI_FIRST - 4 * PAGE,
		(UINT64_C(1) << 39) - 4 * PAGE,
		MIB(2) - 4 * PAGE,
		TOP - 8 * PAGE + 1,
	};
	iova_t at = near[b[0] & 7] + (b[1] & 7) * PAGE;

	return b[1] >= 0xf0 ? at + (b[0] >> 3) : at;
}

/* Mostly memory. */
static gpa_t physical(const uint8_t *b)
{
	return b[1] >= 0xe0 ? address(b) : le16_load(b) % 4096 * PAGE;
}

/* Its last byte, mostly at the end of a page. */
static iova_t end_of(iova_t first, uint8_t b)
{
	static const uint64_t pages[] = {1, 1, 2, 3, 8, 16, 513, 262144};
	uint64_t len = pages[b & 7] * PAGE;

	if (b >= 0xf0)
		len -= b >> 3 & 1;
	return first + len - 1;
}

/*
 * Requests that are in the ring and not served yet, with the model's answers.
 */

#define PENDING_MAX 100 /* two descriptors each */

static struct {
	iova_t reply;
	enum iommu_status want;
} pending[PENDING_MAX];
static unsigned npending;

static void serve_pending(void)
{
	uint32_t head, len;

	if (npending == 0)
		return;
	vrig_ring(&v);
	for (unsigned n = 0; n < npending; n++) {
		uint8_t tail[4];
		bool used = vqd_get_used(&v.req, &head, &len);

		assert(used && len == sizeof(tail));
		vqd_read(&v.req, pending[n].reply, tail, sizeof(tail));
		assert(tail[0] == pending[n].want);
	}
	npending = 0;
}

static void request(const void *bytes, uint32_t len, enum iommu_status want)
{
	vrig_add(&v, bytes, len, 4, &pending[npending].reply);
	pending[npending++].want = want;
	if (npending == PENDING_MAX)
		serve_pending();
}

static void step_request(const uint8_t *b)
{
	const bool odd = b[1] >= 0xe0;
	uint32_t domain = odd ? b[1] & 7 : 1 + (b[1] & 3);
	uint32_t ep = odd ? b[1] >> 3 & 3 : 1 + (b[1] >> 2) % RIG_ENDPOINTS;
	uint32_t flags = b[2] >= 0xe0 ? b[2] & 15 : b[2] & 3;
	iova_t first = address(b + 3), last = end_of(first, b[5]);
	gpa_t phys = physical(b + 6);
	uint8_t bytes[36];

	switch (b[0] & 7) {
	case 0:
		flags = b[2] >= 0xe0 ? flags : b[2] % 8 == 0;
		vrig_put_attach(bytes, domain, ep, flags);
		request(bytes, 20, model_attach(&m, domain, ep, flags));
		break;
	case 1:
		vrig_put_detach(bytes, domain, ep);
		request(bytes, 20, model_detach(&m, domain, ep));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		vrig_put_map(bytes, domain, first, last, phys, flags);
		request(bytes, 36,
			model_map(&m, domain, first, last, phys, flags));
		break;
	default:
		vrig_put_unmap(bytes, domain, first, last);
		request(bytes, 28, model_unmap(&m, domain, first, last));
		break;
	}
}

/* Does each byte from @at on go where the model says, as far as pieces go? */
static void compare_pieces(unsigned ep, iova_t at, uint64_t len,
			   enum dma_access access, const struct iovec *iov,
			   unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		uint64_t ends[] = {0, iov[k].iov_len - 1};

		for (unsigned e = 0; e < 2; e++) {
			const uint8_t *host = iov[k].iov_base;
			struct iovec one;
			gpa_t phys;

			assert(model_translate(&m, ep, at + ends[e], access,
					       &phys));
			assert(gmem_iov(&v.rig.mem, phys, 1, &one, 1) == 1);
			assert(host + ends[e] == one.iov_base);
		}
		at += iov[k].iov_len;
		len -= iov[k].iov_len;
	}
	assert(len == 0);
}

static bool all_reachable(unsigned ep, iova_t at, uint64_t len,
			  enum dma_access access)
{
	gpa_t phys;

	/* Borders of mappings, memory and regions that matter here lie on
	 * pages, or six bytes behind one. */
	for (uint64_t off = 0; off < len; off += off % PAGE == 5 ? 1 : 5)
		if (!model_translate(&m, ep, at + off, access, &phys))
			return false;
	return model_translate(&m, ep, at + len - 1, access, &phys);
}

static void step_access(const uint8_t *b)
{
	unsigned ep = 1 + b[1] % RIG_ENDPOINTS;
	enum dma_access access = b[2] & 1 ? DMA_WRITE : DMA_READ;
	iova_t at = address(b + 3) + b[5];
	uint64_t len = 1 + le16_load(b + 6) % (2 * PAGE);
	struct iovec iov[PIECES];
	struct dma_hold hold;
	int n;

	if (at + (len - 1) < at)
		return;
	n = dma_iov(v.rig.dma[ep], access, at, len, iov, PIECES, &hold);
	if (n > 0)
		compare_pieces(ep, at, len, access, iov, (unsigned)n);
	else
		assert(n == -14 && !all_reachable(ep, at, len, access));
	dma_done(&hold);
}

static void restart(void)
{
	serve_pending();
	vrig_reset(&v);
	model_reset(&m);
	vrig_up(&v, VRIG_FEATURES);
}

static void step(const uint8_t *b)
{
	/* A heap that never gets memory back. */
	if (v.req.heap_end - v.req.heap < KIB(64))
		restart();
	if ((b[0] >> 3 & 7) < 3)
		serve_pending();
	switch (b[0] >> 3 & 7) {
	case 0:
	case 1:
		step_access(b);
		break;
	case 2:
		if (b[0] & 4) {
			m.bypass = b[1] & 1;
			vrig_config_write(&v, 36, 1, m.bypass);
		} else if (b[1] < 8) {
			restart();
		}
		break;
	default:
		step_request(b);
		/* Alone, or with those that follow. */
		if (b[7] & 1)
			serve_pending();
		return;
	}
}

static void step_and_count(const uint8_t *b)
{
	struct iommu_stats s;

	step(b);
	if (npending > 0)
		return;
	iommu_get_stats(v.rig.i, &s);
	assert(s.mappings == m.nmappings);
}

/* Any bytes, the same for the same @seed. */
static void draw_steps(uint64_t seed, unsigned n)
{
	uint8_t b[16];

	while (n-- > 0) {
		for (unsigned k = 0; k < 2; k++) {
			seed = seed * 6364136223846793005u +
			       1442695040888963407u;
			le64_store(b + 8 * k, seed ^ seed >> 33);
		}
		step_and_count(b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t seed = len;
	struct iommu_stats s;

	for (size_t n = 0; n < len; n++)
		seed = (seed ^ data[n]) * 0x100000001b3u;
	make();
	for (unsigned n = 0; n < STEPS_MAX && len >= STEP; n++) {
		step_and_count(data);
		data += STEP;
		len -= STEP;
	}
	draw_steps(seed, DRAWN);
	serve_pending();
	vrig_config_write(&v, 36, 1, 0);
	vrig_reset(&v);
	iommu_get_stats(v.rig.i, &s);
	assert(s.domains == 0 && s.table_bytes == 0);
	return 0;
}

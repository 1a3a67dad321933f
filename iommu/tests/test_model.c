/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Random sequences of operations against a model too simple to be wrong: an
 * array with an entry for each page of a few small windows.  Every status is
 * compared, and after each step what an endpoint reaches at a few places.
 *
 * MOAT_SEED=N repeats a run.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "iommu/tests/rig.h"

/* Windows of 64-bit space, in pages; where tables meet their borders. */
#define WINDOW_PAGES 1200

static const uint64_t windows[] = {
	0,
	MIB(64) / PAGE - 600,
	GIB(1) / PAGE - 600,
	GIB(4) / PAGE - 600,
	(UINT64_C(1) << 39) / PAGE - 600,
	(UINT64_C(1) << 57) / PAGE - 600,
	(TOP / PAGE) - WINDOW_PAGES + 1,
};
#define WINDOWS ARRAY_SIZE(windows)

#define DOMAINS 3

struct model_page {
	unsigned map; /* which MAP it belongs to; 0: none */
	gpa_t phys;
	uint32_t flags;
};

struct model_domain {
	bool exists, bypass;
	struct model_page pages[WINDOWS][WINDOW_PAGES];
};

static struct model_domain domains[DOMAINS];
static int attached[RIG_ENDPOINTS + 1]; /* domain or -1 */
static unsigned next_map;
static struct rig rig;
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* A page range of one window; usually short. */
struct span {
	unsigned window, first, last;
};

static struct span draw_span(void)
{
	struct span s = {.window = (unsigned)draw(WINDOWS)};
	uint64_t lengths[] = {1, 4, 16, 600, WINDOW_PAGES};
	uint64_t len = 1 + draw(lengths[draw(ARRAY_SIZE(lengths))]);

	/* Often at the places where others are. */
	s.first = (unsigned)draw(draw(2) ? 32 : WINDOW_PAGES);
	if (draw(2))
		s.first = WINDOW_PAGES - 1 - s.first;
	s.last = (unsigned)min_u64(s.first + len - 1, WINDOW_PAGES - 1);
	return s;
}

static iova_t page_at(unsigned window, unsigned page)
{
	return (windows[window] + page) * PAGE;
}

static bool model_overlaps(const struct model_domain *d, struct span s)
{
	for (unsigned p = s.first; p <= s.last; p++)
		if (d->pages[s.window][p].map)
			return true;
	return false;
}

static enum iommu_status model_map(unsigned domain, struct span s, gpa_t phys,
				   uint32_t flags)
{
	struct model_domain *d = &domains[domain];

	if (!d->exists)
		return IOMMU_NOENT;
	if (d->bypass || model_overlaps(d, s))
		return IOMMU_INVAL;
	next_map++;
	for (unsigned p = s.first; p <= s.last; p++)
		d->pages[s.window][p] = (struct model_page){
			next_map, phys + (p - s.first) * PAGE, flags};
	return IOMMU_OK;
}

static enum iommu_status model_unmap(unsigned domain, struct span s)
{
	struct model_domain *d = &domains[domain];
	struct model_page *w = d->pages[s.window];

	if (!d->exists)
		return IOMMU_NOENT;
	if (d->bypass)
		return IOMMU_INVAL;
	if (s.first > 0 && w[s.first].map &&
	    w[s.first - 1].map == w[s.first].map)
		return IOMMU_RANGE;
	if (s.last < WINDOW_PAGES - 1 && w[s.last].map &&
	    w[s.last + 1].map == w[s.last].map)
		return IOMMU_RANGE;
	memset(&w[s.first], 0, (s.last - s.first + 1) * sizeof(*w));
	return IOMMU_OK;
}

static void model_leave(unsigned ep)
{
	int was = attached[ep];

	attached[ep] = -1;
	for (unsigned e = 1; e <= RIG_ENDPOINTS; e++)
		if (was >= 0 && attached[e] == was)
			return;
	if (was >= 0)
		memset(&domains[was], 0, sizeof(domains[was]));
}

static enum iommu_status model_attach(unsigned domain, unsigned ep, bool bypass)
{
	struct model_domain *d = &domains[domain];

	if (d->exists && d->bypass != bypass)
		return IOMMU_INVAL;
	if (attached[ep] == (int)domain)
		return IOMMU_OK;
	model_leave(ep);
	d->exists = true;
	d->bypass = bypass;
	attached[ep] = (int)domain;
	return IOMMU_OK;
}

static enum iommu_status model_detach(unsigned domain, unsigned ep)
{
	if (attached[ep] != (int)domain)
		return IOMMU_INVAL;
	model_leave(ep);
	return IOMMU_OK;
}

/* What @ep reaches at one page must be what the model says. */
static void compare_page(unsigned ep, unsigned window, unsigned page)
{
	iova_t at = page_at(window, page);
	const struct model_page *m = NULL;
	bool readable = false, writable = false;

	if (attached[ep] >= 0 && domains[attached[ep]].bypass) {
		readable = writable = gmem_has(&rig.mem, at, PAGE);
	} else if (attached[ep] >= 0) {
		m = &domains[attached[ep]].pages[window][page];
		readable = m->map && m->flags & IOMMU_MAP_READ;
		writable = m->map && m->flags & IOMMU_MAP_WRITE;
	}
	ck_assert_int_eq(rig_can(&rig, ep, at + draw(PAGE), DMA_READ),
			 readable);
	ck_assert_int_eq(rig_can(&rig, ep, at + draw(PAGE), DMA_WRITE),
			 writable);
	if (m && readable)
		ck_assert_uint_eq(rig_where(&rig, ep, at), m->phys);
}

static void compare(const struct span *s)
{
	unsigned ep = 1 + (unsigned)draw(RIG_ENDPOINTS);

	compare_page(ep, s->window, s->first);
	compare_page(ep, s->window, s->last);
	if (s->first > 0)
		compare_page(ep, s->window, s->first - 1);
	if (s->last < WINDOW_PAGES - 1)
		compare_page(ep, s->window, s->last + 1);
	compare_page(ep, (unsigned)draw(WINDOWS), (unsigned)draw(WINDOW_PAGES));
}

static void compare_counts(void)
{
	struct iommu_stats s;
	uint64_t bytes = 0, mappings = 0, n = 0;

	for (unsigned d = 0; d < DOMAINS; d++) {
		n += domains[d].exists;
		for (unsigned w = 0; w < WINDOWS; w++)
			for (unsigned p = 0; p < WINDOW_PAGES; p++) {
				const struct model_page *m =
					&domains[d].pages[w][p];

				bytes += m->map ? PAGE : 0;
				mappings += m->map &&
					    (p == 0 || m[-1].map != m->map);
			}
	}
	iommu_get_stats(rig.i, &s);
	ck_assert_uint_eq(s.mapped_bytes, bytes);
	ck_assert_uint_eq(s.mappings, mappings);
	ck_assert_uint_eq(s.domains, n);
	if (mappings == 0)
		ck_assert_uint_eq(s.table_bytes, 0);
}

static void step_map(unsigned domain, struct span s)
{
	gpa_t phys = draw(RIG_RAM0_SIZE / PAGE - WINDOW_PAGES) * PAGE;
	uint32_t flags = (uint32_t)draw(8) ? RW : (uint32_t)draw(4);

	/* Sometimes aligned together, as guests do. */
	if (draw(4) == 0)
		phys = (s.first % 512) * PAGE;
	ck_assert_int_eq(iommu_map(rig.i, domain, page_at(s.window, s.first),
				   page_at(s.window, s.last) + PAGE - 1, phys,
				   flags),
			 model_map(domain, s, phys, flags));
}

static void step(void)
{
	unsigned domain = draw(8) ? 0 : (unsigned)draw(DOMAINS);
	unsigned ep = 1 + (unsigned)draw(RIG_ENDPOINTS);
	struct span s = draw_span();
	bool bypass = draw(8) == 0;

	switch (draw(16)) {
	case 0:
		ck_assert_int_eq(iommu_attach(rig.i, domain, ep, bypass),
				 model_attach(domain, ep, bypass));
		break;
	case 1:
		if (draw(4))
			break; /* keep domains for a while */
		ck_assert_int_eq(iommu_detach(rig.i, domain, ep),
				 model_detach(domain, ep));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		ck_assert_int_eq(
			iommu_unmap(rig.i, domain, page_at(s.window, s.first),
				    page_at(s.window, s.last) + PAGE - 1),
			model_unmap(domain, s));
		break;
	case 7:
		if (draw(200) == 0) {
			iommu_reset(rig.i);
			for (unsigned e = 1; e <= RIG_ENDPOINTS; e++)
				model_leave(e);
		}
		break;
	default:
		step_map(domain, s);
		break;
	}
	compare(&s);
}

static unsigned steps(void)
{
	const char *n = getenv("MOAT_STEPS");

	return n ? (unsigned)strtoul(n, NULL, 0) : 30000;
}

START_TEST(random_operations_agree_with_the_model)
{
	const char *given = getenv("MOAT_SEED");

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) | 1;
	printf("MOAT_SEED=%llu\n", (unsigned long long)seed);
	rig_init(&rig, NULL);
	for (unsigned e = 0; e <= RIG_ENDPOINTS; e++)
		attached[e] = -1;
	for (unsigned n = 0; n < steps(); n++) {
		step();
		if (n % 1000 == 0)
			compare_counts();
	}
	compare_counts();
	iommu_reset(rig.i);
	memset(domains, 0, sizeof(domains));
	compare_counts();
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/model");
	TCase *t = tcase_create("model");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, random_operations_agree_with_the_model);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/resv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"

static bool overlap(const struct iommu_resv_region *a,
		    const struct iommu_resv_region *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* Whether @r may stand beside all that are in @s. */
static int check(const struct resv_set *s, const struct iommu_resv_region *r,
		 struct err *err)
{
	if (r->first > r->last)
		return err_set(err, EINVAL,
			       "reserved region ends before it begins");
	for (unsigned n = 0; n < s->n; n++) {
		/* [virtio 1.2, 5.13.6.8.1.2] */
		if (s->at[n].kind == IOMMU_RESV_MSI &&
		    r->kind == IOMMU_RESV_MSI)
			return err_set(err, EINVAL,
				       "more than one reserved MSI region");
		if (overlap(&s->at[n], r))
			return err_set(err, EINVAL,
				       "reserved regions overlap at %#" PRIx64,
				       max_u64(r->first, s->at[n].first));
	}
	return 0;
}

static bool has_msi(const struct iommu_resv_region *r, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if (r[k].kind == IOMMU_RESV_MSI)
			return true;
	return false;
}

int resv_init(struct resv_set *s, const struct resv_set *base,
	      const struct iommu_resv_region *more, unsigned n, struct err *err)
{
	const bool own_msi = has_msi(more, n);
	const unsigned nbase = base ? base->n : 0;
	struct resv_set made = {0};
	int r = 0;

	made.at = calloc((size_t)nbase + n + 1, sizeof(*made.at));
	if (!made.at)
		return err_set(err, ENOMEM, "no memory for reserved regions");
	for (unsigned k = 0; k < nbase; k++)
		if (!own_msi || base->at[k].kind != IOMMU_RESV_MSI)
			made.at[made.n++] = base->at[k];
	for (unsigned k = 0; k < n && r == 0; k++) {
		r = check(&made, &more[k], err);
		made.at[made.n++] = more[k];
	}
	if (r) {
		resv_fini(&made);
		return r;
	}
	*s = made;
	return 0;
}

void resv_fini(struct resv_set *s)
{
	free(s->at);
	*s = (struct resv_set){0};
}

bool resv_first(const struct resv_set *s, iova_t first, iova_t last,
		iova_t *ret_at)
{
	bool found = false;

	for (unsigned n = 0; n < s->n; n++) {
		const struct iommu_resv_region *r = &s->at[n];
		iova_t at = max_u64(r->first, first);

		if (r->first > last || first > r->last)
			continue;
		if (!found || at < *ret_at)
			*ret_at = at;
		found = true;
	}
	return found;
}

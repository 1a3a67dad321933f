/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/iommu.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "iommu/counter.h"
#include "iommu/endpoint.h"
#include "iommu/private.h"

#define DEFAULT_MAX_DOMAINS  65536
#define DEFAULT_MAX_MAPPINGS (UINT64_C(4) << 20)
#define DEFAULT_MAX_MEMORY   MIB(256)

static int check_config(const struct iommu_config *c, struct err *err)
{
	unsigned shift = c->page_size_mask
				 ? (unsigned)__builtin_ctzll(c->page_size_mask)
				 : 0;

	if (shift < PT_SHIFT_MIN || shift > PT_SHIFT_MAX)
		return err_set(err, EINVAL,
			       "IOMMU page sizes %#" PRIx64
			       ": the smallest must be 4 KiB to 1 GiB",
			       c->page_size_mask);
	if (c->input_first > c->input_last || c->domain_first > c->domain_last)
		return err_set(err, EINVAL,
			       "IOMMU address or domain range is empty");
	return 0;
}

static int copy_config(struct iommu *i, const struct iommu_config *c,
		       struct err *err)
{
	int r = resv_init(&i->resv, NULL, c->resv, c->nresv, err);

	if (r)
		return r;
	i->config = *c;
	i->config.resv = i->resv.at;
	if (!c->max_domains)
		i->config.max_domains = DEFAULT_MAX_DOMAINS;
	if (!c->max_mappings)
		i->config.max_mappings = DEFAULT_MAX_MAPPINGS;
	if (!c->max_memory)
		i->config.max_memory = DEFAULT_MAX_MEMORY;
	return 0;
}

int iommu_new(struct iommu **ret_i, const struct iommu_config *config,
	      struct err *err)
{
	struct iommu *i;
	int r = check_config(config, err);

	if (r)
		return r;
	i = calloc(1, sizeof(*i));
	if (!i)
		return err_set(err, ENOMEM, "no memory for the IOMMU");
	r = copy_config(i, config, err);
	if (r) {
		free(i);
		return r;
	}
	r = hold_gate_init(&i->gate);
	if (!r) {
		r = -pthread_mutex_init(&i->op, NULL);
		if (r)
			hold_gate_fini(&i->gate);
	}
	if (r) {
		resv_fini(&i->resv);
		free(i);
		return err_errno(err, -r, "cannot make the IOMMU's locks");
	}
	i->shift = (unsigned)__builtin_ctzll(config->page_size_mask);
	i->pool.max = i->config.max_memory;
	domain_set_init(&i->domains);
	list_init(&i->dead_domains);
	atomic_init(&i->bypass, config->bypass);
	*ret_i = i;
	return 0;
}

void iommu_dead_free(struct iommu *i)
{
	list_for_each (pos, &i->dead_domains) {
		struct iommu_domain *d =
			container_of(pos, struct iommu_domain, node);

		list_remove(pos);
		domain_free(d);
	}
	pt_list_free(&i->pool, &i->dead_nodes);
}

void iommu_free(struct iommu *i)
{
	if (!i)
		return;
	for (unsigned b = 0; b < DOMAIN_BUCKETS; b++)
		list_for_each (pos, &i->domains.buckets[b])
			domain_free(
				container_of(pos, struct iommu_domain, node));
	iommu_dead_free(i);
	pt_pool_fini(&i->pool);
	for (size_t n = 0; n < i->neps; n++)
		endpoint_free(i->eps[n]);
	free(i->eps);
	pthread_mutex_destroy(&i->op);
	hold_gate_fini(&i->gate);
	resv_fini(&i->resv);
	free(i);
}

void iommu_lock(struct iommu *i)
{
	pthread_mutex_lock(&i->op);
}

void iommu_unlock(struct iommu *i)
{
	pthread_mutex_unlock(&i->op);
}

/* Where @id is or would be. */
static size_t endpoint_index(const struct iommu *i, uint32_t id)
{
	size_t lo = 0, hi = i->neps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (i->eps[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct iommu_endpoint *iommu_endpoint_find(const struct iommu *i, uint32_t id)
{
	size_t at = endpoint_index(i, id);

	return at < i->neps && i->eps[at]->id == id ? i->eps[at] : NULL;
}

static int endpoint_insert(struct iommu *i, struct iommu_endpoint *ep)
{
	size_t at = endpoint_index(i, ep->id);

	if (i->neps == i->eps_cap) {
		size_t cap = i->eps_cap ? 2 * i->eps_cap : 16;
		struct iommu_endpoint **eps =
			realloc(i->eps, cap * sizeof(struct iommu_endpoint *));

		if (!eps)
			return -ENOMEM;
		i->eps = eps;
		i->eps_cap = cap;
	}
	memmove(&i->eps[at + 1], &i->eps[at],
		(i->neps - at) * sizeof(struct iommu_endpoint *));
	i->eps[at] = ep;
	i->neps++;
	return 0;
}

int iommu_endpoint_add(struct iommu *i, uint32_t id,
		       struct iommu_endpoint **ret_ep, struct err *err)
{
	struct iommu_endpoint *ep;

	if (iommu_endpoint_find(i, id))
		return err_set(err, EEXIST,
			       "IOMMU endpoint %" PRIu32 " exists already", id);
	ep = endpoint_new(i, id);
	if (!ep || endpoint_insert(i, ep)) {
		free(ep);
		return err_set(err, ENOMEM, "no memory for an IOMMU endpoint");
	}
	*ret_ep = ep;
	return 0;
}

void iommu_set_fault_sink(struct iommu *i, struct iommu_fault_sink *sink)
{
	atomic_store(&i->sink, sink);
}

void iommu_report(const struct iommu *i, const struct iommu_fault *f)
{
	struct iommu_fault_sink *sink = atomic_load(&i->sink);

	if (sink)
		sink->report(sink, f);
}

enum iommu_status iommu_resv_regions(struct iommu *i, uint32_t endpoint,
				     const struct iommu_resv_region **ret_r,
				     unsigned *ret_n)
{
	const struct iommu_endpoint *ep = iommu_endpoint_find(i, endpoint);

	if (!ep)
		return IOMMU_NOENT;
	*ret_r = ep->resv.at;
	*ret_n = ep->resv.n;
	return IOMMU_OK;
}

unsigned iommu_resv_most(const struct iommu *i)
{
	unsigned most = i->resv.n;

	for (size_t n = 0; n < i->neps; n++)
		if (i->eps[n]->resv.n > most)
			most = i->eps[n]->resv.n;
	return most;
}

bool iommu_bypass(const struct iommu *i)
{
	return atomic_load_explicit(&i->bypass, memory_order_seq_cst);
}

void iommu_stop_waiting(struct iommu *i, bool stop)
{
	hold_gate_stop(&i->gate, stop);
}

bool iommu_stopping(const struct iommu *i)
{
	return hold_gate_stopped(&i->gate);
}

void iommu_get_stats(struct iommu *i, struct iommu_stats *ret_s)
{
	const struct op_stats *o = &i->stats;

	*ret_s = (struct iommu_stats){
		.attaches = counter_get(&o->attaches),
		.detaches = counter_get(&o->detaches),
		.maps = counter_get(&o->maps),
		.unmaps = counter_get(&o->unmaps),
		.rejected = counter_get(&o->rejected),
		.mappings = counter_get(&o->mappings),
		.mapped_bytes = counter_get(&o->mapped_bytes),
		.domains = counter_get(&o->domains),
		.table_bytes = counter_get(&i->pool.used),
	};
	for (size_t n = 0; n < i->neps; n++)
		endpoint_add_stats(i->eps[n], ret_s);
}

const struct iommu_config *iommu_get_config(const struct iommu *i)
{
	return &i->config;
}
